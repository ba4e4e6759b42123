import type { EventRules } from "../../schemas/event.js";
import type { EpochMs, Offset } from "../../schemas/ids.js";
import type { LogRecord } from "../../schemas/log-record.js";
import { type FileProgress, NEVER_BEGUN, nextRows } from "../../schemas/ports/file-intake.js";
import type { Journal } from "../journal/journal.js";
import type { NewDeadLetter } from "../new-dead-letter.js";
import { type EventRowOptions, EventRows } from "./event-rows.js";
import { hashFile } from "./file-hash.js";
import type { FileRow } from "./file-row.js";
import { type FileFormat, FileRows } from "./file-rows.js";

export interface ReplayFileOptions extends EventRowOptions {
  readonly format: FileFormat;
  readonly rules: EventRules;
  /** Rows of one append; 4,096. */
  readonly batchRows?: number;
  /** Events that may be ahead of the fold; 65,536. */
  readonly credits?: number;
  /** Only events with since <= ts < until. */
  readonly since?: EpochMs;
  readonly until?: EpochMs;
  /** Asked before each append of events, with the newest event time of its batch: a paced replay waits here. */
  readonly beforeAppend?: (newestTs: EpochMs) => Promise<void>;
  /** A file that was read before is read once more, and counts once more. */
  readonly again?: boolean;
  /** Ends it after the rows appended so far; the next call goes on there. */
  readonly signal?: AbortSignal;
}

/** Told after each block of the file and at the end. Bytes are those of the file itself. */
export interface ReplayFileProgress {
  readonly bytesRead: number;
  readonly bytesTotal: number;
  readonly events: number;
  readonly rejected: number;
}

export interface ReplayFileResult {
  readonly fileHash: string;
  /** Of this run of the file, also before an interruption. */
  readonly events: number;
  readonly rejected: number;
  /** Appended by this call. */
  readonly appended: number;
  /** The file had been read to its end before: nothing was done. */
  readonly known: boolean;
  /** False when `signal` ended it. */
  readonly done: boolean;
  /** Newest offset acknowledged to this call; 0 when it appended nothing. */
  readonly endOffset: Offset;
}

/**
 * Backfills a file into the log, through the same pipeline as live events. How far it has come is in the same batch as the
 * rows, so a call after a crash goes on exactly there. Rows that are no events become dead letters.
 * @throws KindredError FILE_FORMAT (nothing was appended), STORAGE_FAILED
 */
export async function replayFile(
  journal: Journal,
  path: string,
  options: ReplayFileOptions,
  onProgress?: (progress: ReplayFileProgress) => void,
): Promise<ReplayFileResult> {
  const { hash, bytes } = await hashFile(path);
  const stored = await journal.fileProgress(hash);
  const summary = { fileHash: hash, appended: 0, endOffset: 0 as Offset };
  if (stored?.done === true && options.again !== true)
    return { ...summary, events: stored.events, rejected: stored.rejected, known: true, done: true };
  const start = nextRows(stored ?? NEVER_BEGUN);
  const rows = await FileRows.open(path, options.format, options.signal);
  try {
    const reader = new EventRows(options, options.format === "ndjson" ? undefined : rows.columns, path);
    const backfill = new Backfill(journal, hash, start, reader, options);
    for await (const block of rows.blocks()) {
      for (const row of block) {
        if (!backfill.take(row)) continue;
        await backfill.flush();
        if (options.signal?.aborted === true) break;
      }
      onProgress?.({
        bytesRead: rows.bytesRead,
        bytesTotal: bytes,
        events: backfill.progress.events,
        rejected: backfill.progress.rejected,
      });
    }
    const endOffset = await backfill.finish(options.signal?.aborted !== true);
    const { events, rejected, done } = backfill.progress;
    onProgress?.({ bytesRead: rows.bytesRead, bytesTotal: bytes, events, rejected });
    return { ...summary, events, rejected, appended: events - start.events, known: false, done, endOffset };
  } finally {
    await rows.close();
  }
}

/** Appends in flight at once: with small batches the group commit gathers them. */
const MAX_IN_FLIGHT = 64;
/** Events of them: more would only grow old in memory while they wait for the disk. */
const MAX_EVENTS_IN_FLIGHT = 16_384;

/** Gathers rows and appends them with the cursor, in order, never more than the credits ahead of the fold. */
class Backfill {
  progress: FileProgress;
  readonly #journal: Journal;
  readonly #hash: string;
  readonly #reader: EventRows;
  readonly #options: ReplayFileOptions;
  readonly #batchRows: number;
  readonly #credits: number;
  readonly #inFlight: Promise<Offset>[] = [];
  #eventsInFlight = 0;
  #toSkip: number;
  #rows = 0;
  #records: LogRecord[] = [];
  #letters: NewDeadLetter[] = [];
  /** Of `#records`. */
  #newestTs: EpochMs | undefined;
  #endOffset = 0 as Offset;

  constructor(journal: Journal, hash: string, start: FileProgress, reader: EventRows, options: ReplayFileOptions) {
    this.#journal = journal;
    this.#hash = hash;
    this.progress = start;
    this.#toSkip = start.rowsRead;
    this.#reader = reader;
    this.#options = options;
    this.#batchRows = options.batchRows ?? 4096;
    this.#credits = options.credits ?? 65_536;
  }

  /** True when a batch is full. */
  take(row: FileRow): boolean {
    if (this.#toSkip > 0) {
      this.#toSkip--;
      return false;
    }
    const read = this.#reader.read(row, this.#options.rules);
    if ("event" in read) {
      const { since, until } = this.#options;
      if ((since === undefined || read.event.ts >= since) && (until === undefined || read.event.ts < until)) {
        this.#records.push({ kind: "event", event: read.event });
        this.#newestTs = Math.max(this.#newestTs ?? read.event.ts, read.event.ts);
      }
    } else {
      const { rejection, raw, user } = read;
      this.#letters.push({
        code: rejection.code,
        message: rejection.message,
        origin: `file ${this.#hash.slice(0, 8)} line ${row.line}`,
        original: row.bad?.original ?? Buffer.from(row.text),
        ...(raw !== undefined && { raw }),
        ...(user !== undefined && { user }),
      });
    }
    return ++this.#rows >= this.#batchRows;
  }

  async flush(done = false): Promise<void> {
    const { beforeAppend, signal } = this.#options;
    if (beforeAppend !== undefined && this.#newestTs !== undefined) {
      await beforeAppend(this.#newestTs);
      // Stopped while it waited: what is not due yet is left to the next call.
      if (signal?.aborted === true) return;
    }
    const { rowsRead, events, rejected, run } = this.progress;
    const [records, letters] = [this.#records, this.#letters];
    this.progress = { rowsRead: rowsRead + this.#rows, events: events + records.length, rejected: rejected + letters.length, done, run };
    this.#rows = 0;
    this.#records = [];
    this.#letters = [];
    this.#newestTs = undefined;
    const isFull = (): boolean => this.#inFlight.length >= MAX_IN_FLIGHT || this.#eventsInFlight + records.length > MAX_EVENTS_IN_FLIGHT;
    while (this.#inFlight.length > 0 && isFull()) await this.#settleOldest();
    const ahead = this.#eventsInFlight + records.length;
    await this.#journal.whenLagBelow(Math.max(1, this.#credits - ahead + 1), signal);
    this.#append(records, letters);
  }

  /** Appends what is left. @returns the newest offset of this call */
  async finish(done: boolean): Promise<Offset> {
    if (this.#rows > 0 || done) await this.flush(done);
    while (this.#inFlight.length > 0) await this.#settleOldest();
    return this.#endOffset;
  }

  #append(records: readonly LogRecord[], letters: readonly NewDeadLetter[]): void {
    this.#eventsInFlight += records.length;
    const appended = this.#journal.appendFromFile(this.#hash, records, this.progress, letters).finally(() => {
      this.#eventsInFlight -= records.length;
    });
    // Looked at when its turn comes; until then a failure must not count as unhandled.
    appended.catch(() => undefined);
    this.#inFlight.push(appended);
  }

  async #settleOldest(): Promise<void> {
    this.#endOffset = (await this.#inFlight.shift()) ?? this.#endOffset;
  }
}
