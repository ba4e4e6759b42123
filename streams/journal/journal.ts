import { KindredError } from "../../schemas/errors.js";
import type { CatalogueNumber, EpochMs, Offset, UserId } from "../../schemas/ids.js";
import type { LogRecord } from "../../schemas/log-record.js";
import type { LogReader, PayloadCipher } from "../../schemas/ports/event-log.js";
import type { FileProgress } from "../../schemas/ports/file-intake.js";
import type { KeyValueStore, StoreWrite } from "../../schemas/ports/key-value-store.js";
import { AppendSignal } from "../append-signal.js";
import type { NewDeadLetter } from "../new-dead-letter.js";
import { RecordEncoder } from "../record-codec.js";
import { DeadLetterStore } from "./dead-letter-store.js";
import { GroupCommit } from "./group-commit.js";
import { JournalItems } from "./journal-items.js";
import { META, numberKey, numberValue, readNumber, textKey } from "./journal-keys.js";
import { JOURNAL_DEFAULTS, type JournalOptions } from "./journal-options.js";
import { JournalReader } from "./journal-reader.js";
import { JournalWriter, type Submission } from "./journal-writer.js";
import { PayloadKeys } from "./payload-keys.js";
import { RecentRecords } from "./recent-records.js";
import { cutBlocks, firstAcceptedFrom } from "./retention.js";

/** Layout of the journal's directory. */
export const JOURNAL_FORMAT = 1;
/** Records that one group commit takes at most: a longer one would hold the thread too long. */
const MAX_GROUP_RECORDS = 16_384;

/** What one caller appends; everything in it becomes durable together, or nothing does. */
export interface Append {
  readonly records: readonly LogRecord[];
  readonly letters?: readonly NewDeadLetter[];
  /** Dead letters that the records replace. */
  readonly replacedLetters?: readonly number[];
  /** The file that the records are rows of, and how far it has come with them. */
  readonly file?: { readonly hash: string; readonly progress: FileProgress };
}

/**
 * The embedded log: records by offset in a key-value store of its own, durable before they are acknowledged, sealed under
 * their user's key, cut by retention. One partition, number 0; offsets from 1, one more for each record.
 */
export class Journal {
  readonly items: JournalItems;
  readonly store: KeyValueStore;
  readonly cipher: PayloadCipher;
  readonly keys: PayloadKeys;
  readonly deadLetters: DeadLetterStore;
  readonly recent: RecentRecords;
  readonly appended = new AppendSignal();
  readonly #options: Required<JournalOptions>;
  readonly #commit: GroupCommit<Submission>;
  readonly #encoder = new RecordEncoder();
  readonly #appliedSignal = new AppendSignal();
  readonly #failing = new AbortController();
  #first: Offset;
  #end: Offset;
  #applied: Offset | undefined;
  #pendingBytes = 0;
  #pendingRecords = 0;
  #closed = false;

  private constructor(store: KeyValueStore, writer: JournalWriter, options: Required<JournalOptions>, first: Offset, end: Offset) {
    this.store = store;
    this.cipher = writer.cipher;
    this.keys = writer.keys;
    this.deadLetters = writer.deadLetters;
    this.items = new JournalItems(store);
    this.recent = new RecentRecords(end, options.recentBytes);
    this.#options = options;
    this.#first = first;
    this.#end = end;
    this.#commit = new GroupCommit(
      (group) => this.#write(writer, group),
      (job) => job.records.length,
      MAX_GROUP_RECORDS,
      (error) => this.#failing.abort(error),
    );
  }

  /** Opens the journal of a store that nothing else uses. @throws KindredError DIRECTORY_NEWER, JOURNAL_CORRUPT */
  static async open(store: KeyValueStore, cipher: PayloadCipher, options: JournalOptions = {}): Promise<Journal> {
    const all = { ...JOURNAL_DEFAULTS, ...options };
    const [format, first, end, systemKey] = await store.getMany([META.format, META.first, META.end, META.systemKey]);
    if (format !== undefined && readNumber(format) > JOURNAL_FORMAT)
      throw new KindredError(
        "DIRECTORY_NEWER",
        `the journal has format ${readNumber(format)}, this version of kindred reads up to ${JOURNAL_FORMAT}`,
      );
    if (format !== undefined && (first === undefined || end === undefined || systemKey === undefined))
      throw new KindredError("JOURNAL_CORRUPT", "the journal lacks its own key or its bounds");
    const key = systemKey ?? cipher.newKey();
    if (format === undefined) await store.batch(firstWrites(key), { sync: true });
    const keys = new PayloadKeys(store, key, all.keyCacheEntries);
    const deadLetters = await DeadLetterStore.open(store, cipher, keys, all.maxDeadLetters);
    const writer = new JournalWriter(store, cipher, keys, deadLetters, all.now);
    return new Journal(
      store,
      writer,
      all,
      (first === undefined ? 1 : readNumber(first)) as Offset,
      (end === undefined ? 0 : readNumber(end)) as Offset,
    );
  }

  /** First offset still kept. */
  get firstOffset(): Offset {
    return this.#first;
  }

  /** Newest acknowledged offset; 0 before the first record. */
  get endOffset(): Offset {
    return this.#end;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Aborts at the first write that failed, with its STORAGE_FAILED as the reason: nothing is taken until it is opened again. */
  get failed(): AbortSignal {
    return this.#failing.signal;
  }

  /** Acknowledged records that are not applied yet; 0 while nobody told how far that is. */
  get lag(): number {
    return this.#applied === undefined ? 0 : Math.max(0, this.#end - this.#applied);
  }

  now(): EpochMs {
    return this.#options.now();
  }

  /** A reader of its own, from any position. */
  reader(): LogReader {
    return new JournalReader(this);
  }

  /**
   * Appends records and resolves with the offset of the last of them once all are on the disk.
   * @throws KindredError OVERLOADED (nothing was taken), STORAGE_FAILED (now and until it is opened again), NOT_READY (closed)
   */
  append(records: readonly LogRecord[]): Promise<Offset> {
    return this.commit({ records });
  }

  /** `append` with what has to be durable together with the records. */
  async commit(append: Append): Promise<Offset> {
    const submission = this.#prepare(append);
    this.#admit(submission);
    return (await this.#submit(submission)).endOffset;
  }

  /**
   * Appends rows of a file, and how far it has come, in one batch: a process that is killed goes on exactly there. The limits
   * do not refuse it: a backfill is pulled and keeps to its own, by `whenLagBelow`.
   * @param fileHash SHA-256 of the file's content, hex
   */
  async appendFromFile(
    fileHash: string,
    records: readonly LogRecord[],
    progress: FileProgress,
    letters: readonly NewDeadLetter[] = [],
  ): Promise<Offset> {
    return (await this.#submit(this.#prepare({ records, letters, file: { hash: fileHash, progress } }))).endOffset;
  }

  /** How far a file has come; undefined when it was never begun. */
  async fileProgress(fileHash: string): Promise<FileProgress | undefined> {
    const value = await this.store.get(textKey("f", fileHash));
    return value === undefined ? undefined : (JSON.parse(Buffer.from(value).toString()) as FileProgress);
  }

  /** Deletes the user's payload key and appends the erasure in one batch; resolves when the key's bytes are gone from the files. */
  async erase(user: UserId, at: EpochMs): Promise<{ readonly offset: Offset; readonly keyDropped: boolean }> {
    const { endOffset, dropped } = await this.#submit(this.#prepare({ records: [{ kind: "erase", user, at }] }));
    for (const { key } of dropped) {
      const [byUser, byRef] = [textKey("k", user), numberKey("p", key.ref)];
      await this.store.compact(byUser, Buffer.concat([byUser, Buffer.alloc(1)]));
      await this.store.compact(byRef, Buffer.concat([byRef, Buffer.alloc(1)]));
    }
    return { offset: endOffset, keyDropped: dropped.length > 0 };
  }

  /** From this record on rows are folded with the catalogue; it must have been stored before. */
  async activate(catalogue: CatalogueNumber): Promise<Offset> {
    return (await this.#submit(this.#prepare({ records: [{ kind: "activate", catalogue }] }))).endOffset;
  }

  /** Keeps letters of records that could not be folded; durable when it resolves. */
  async keepLetters(letters: readonly NewDeadLetter[]): Promise<void> {
    await this.#submit(this.#prepare({ records: [], letters }));
  }

  /** Told by the pipeline: everything up to `offset` is applied. */
  setApplied(offset: Offset): void {
    this.#applied = offset;
    this.recent.dropThrough(offset);
    this.#appliedSignal.wake();
  }

  /** Resolves when fewer than `records` acknowledged ones wait to be applied, when `signal` aborts or the journal closes. */
  async whenLagBelow(records: number, signal?: AbortSignal): Promise<void> {
    while (this.lag >= records && signal?.aborted !== true && !this.#closed) await this.#appliedSignal.wait(undefined, signal);
  }

  /**
   * Makes the next offset follow `applied` where the log ends before it: a log that lost its end (a damaged disk) must not
   * give records offsets that the state has seen, it would skip them. Called before the first append.
   * @returns how many records are missing
   */
  async resumeAfter(applied: Offset): Promise<number> {
    const missing = applied - this.#end;
    if (missing <= 0) return 0;
    await this.store.batch([{ type: "put", key: META.end, value: numberValue(applied) }], { sync: true });
    this.#end = applied;
    this.recent.restart(applied);
    return missing;
  }

  /** Deletes what lies before `offset`, by whole blocks, and gives the space back. Never more than is acknowledged. */
  async cutBefore(offset: Offset): Promise<Offset> {
    const first = await cutBlocks(this.store, this.#first, Math.min(offset, this.#end + 1) as Offset, (kept) => {
      this.#first = kept;
    });
    return first;
  }

  /** The first offset kept that was accepted at `time` or later; one after the end when none was. */
  firstAcceptedFrom(time: EpochMs): Promise<Offset> {
    return firstAcceptedFrom(this.store, this.#first, this.#end, time);
  }

  /** Writes what was submitted, lets waiting readers go, and closes the store. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.appended.wake();
    this.#appliedSignal.wake();
    await this.#commit.idle();
    await this.store.close();
  }

  /** Encoding fails here, at the caller, and not in the group of others. */
  #prepare({ records, file, ...rest }: Append): Submission {
    if (this.#closed) throw new KindredError("NOT_READY", "the journal is closed");
    const payloads = records.map((record) => this.#encoder.encode(record));
    const bytes = payloads.reduce((sum, payload) => sum + payload.length, 0);
    const writes = file === undefined ? [] : [cursorWrite(file)];
    return { ...rest, records, writes, payloads, bytes, endOffset: 0 as Offset, dropped: [] };
  }

  #admit({ records, bytes }: Submission): void {
    const { maxPendingBytes, maxPendingRecords, maxLagEvents } = this.#options;
    // An empty queue takes anything: one append that is larger than the limit would otherwise never get in.
    const queueFull =
      this.#pendingRecords > 0 &&
      (this.#pendingBytes + bytes > maxPendingBytes || this.#pendingRecords + records.length > maxPendingRecords);
    const lagging = this.#applied !== undefined && this.lag + this.#pendingRecords >= maxLagEvents;
    if (!queueFull && !lagging) return;
    const message = queueFull ? `${this.#pendingRecords} records wait for the disk` : `${this.lag} acknowledged records wait to be applied`;
    throw new KindredError("OVERLOADED", `${message}; nothing of this was taken`, undefined, { retryAfterSeconds: 1 });
  }

  async #submit(submission: Submission): Promise<Submission> {
    this.#pendingBytes += submission.bytes;
    this.#pendingRecords += submission.records.length;
    try {
      await this.#commit.submit(submission);
    } finally {
      this.#pendingBytes -= submission.bytes;
      this.#pendingRecords -= submission.records.length;
    }
    return submission;
  }

  async #write(writer: JournalWriter, group: readonly Submission[]): Promise<void> {
    const { endOffset, records, erased } = await writer.write(group, this.#end);
    // Unsealed records of an erased user must not stay in memory.
    if (erased) this.recent.restart(endOffset);
    else this.recent.push(records);
    this.#end = endOffset;
    this.appended.wake();
  }
}

const cursorWrite = ({ hash, progress }: NonNullable<Append["file"]>): StoreWrite => ({
  type: "put",
  key: textKey("f", hash),
  value: Buffer.from(JSON.stringify(progress)),
});

const firstWrites = (systemKey: Uint8Array): StoreWrite[] => [
  { type: "put", key: META.format, value: numberValue(JOURNAL_FORMAT) },
  { type: "put", key: META.first, value: numberValue(1) },
  { type: "put", key: META.end, value: numberValue(0) },
  { type: "put", key: META.systemKey, value: systemKey },
];
