import { KindredError } from "../../schemas/errors.js";
import type { Offset, Partition } from "../../schemas/ids.js";
import type { LogReader, PayloadCipher, ReadOptions, SourceBatch, SourceRecord } from "../../schemas/ports/event-log.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import type { AppendSignal } from "../append-signal.js";
import { BlockLoader, type LoadedRun } from "./block-loader.js";
import type { PayloadKeys } from "./payload-keys.js";
import type { RecentRecords } from "./recent-records.js";

/** The journal's only partition. */
export const JOURNAL_PARTITION = 0 as Partition;

/** What reading needs of a journal. */
export interface ReadableJournal {
  readonly store: KeyValueStore;
  readonly cipher: PayloadCipher;
  readonly keys: PayloadKeys;
  readonly recent: RecentRecords;
  readonly appended: AppendSignal;
  /** First offset still kept. */
  readonly firstOffset: Offset;
  /** Newest acknowledged offset. */
  readonly endOffset: Offset;
  readonly closed: boolean;
}

/** Reads the journal from any position. It keeps what it opened last, so a block cut into many batches is opened once. */
export class JournalReader implements LogReader {
  readonly #journal: ReadableJournal;
  readonly #loader: BlockLoader;
  #run: LoadedRun | undefined;
  #erasures = 0;

  constructor(journal: ReadableJournal) {
    this.#journal = journal;
    this.#loader = new BlockLoader(journal.store, journal.cipher, journal.keys);
  }

  /** @throws KindredError POSITION_EXPIRED, JOURNAL_CORRUPT (the log ends before `after`), STORAGE_FAILED */
  async read(after: Offset, { maxRecords, signal, waitMs }: ReadOptions): Promise<SourceBatch | null> {
    const journal = this.#journal;
    if (after > journal.endOffset)
      throw new KindredError("JOURNAL_CORRUPT", `the journal ends at ${journal.endOffset}, before the position ${after}: its end was lost`);
    const deadline = waitMs === undefined ? undefined : performance.now() + waitMs;
    while (after === journal.endOffset) {
      if (journal.closed || signal.aborted) return null;
      const left = deadline === undefined ? undefined : deadline - performance.now();
      if (left !== undefined && left <= 0) return { partition: JOURNAL_PARTITION, records: [], endOffset: after };
      await journal.appended.wait(left, signal);
    }
    if (journal.closed || signal.aborted) return null;
    if (after + 1 < journal.firstOffset)
      throw new KindredError("POSITION_EXPIRED", `the journal begins at ${journal.firstOffset}: retention has cut what follows ${after}`);
    return this.#recent(after, maxRecords) ?? (await this.#stored(after, maxRecords));
  }

  #recent(after: Offset, maxRecords: number): SourceBatch | undefined {
    const records = this.#journal.recent.take(after, maxRecords);
    const newest = records?.[records.length - 1];
    if (records === undefined || newest === undefined) return undefined;
    this.#run = undefined;
    return { partition: JOURNAL_PARTITION, records, endOffset: newest.offset };
  }

  async #stored(after: Offset, maxRecords: number): Promise<SourceBatch> {
    const erasures = this.#journal.keys.erasures;
    let run = this.#run;
    if (run === undefined || after < run.after || after >= run.through || erasures !== this.#erasures) {
      run = await this.#loader.load(after, this.#journal.endOffset, maxRecords);
      this.#run = run;
      this.#erasures = erasures;
    }
    const start = firstAfter(run.records, after);
    const records = run.records.slice(start, start + maxRecords);
    const newest = records[records.length - 1];
    const all = start + records.length === run.records.length;
    return {
      partition: JOURNAL_PARTITION,
      records,
      endOffset: all || newest === undefined ? run.through : (newest.damage?.through ?? newest.offset),
    };
  }
}

/** Index of the first record that ends after the offset. */
function firstAfter(records: readonly SourceRecord[], after: Offset): number {
  let [low, high] = [0, records.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const record = records[middle] as SourceRecord;
    if ((record.damage?.through ?? record.offset) <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
