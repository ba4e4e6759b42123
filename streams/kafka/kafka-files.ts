import type { Kafka } from "kafkajs";
import type { EpochMs, Offset, Partition } from "../../schemas/ids.js";
import { type FileIntake, type FileProgress, type FileSlice, NEVER_BEGUN, type SliceTaken } from "../../schemas/ports/file-intake.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import type { Position } from "../../schemas/position.js";
import { FileTurns, progressWith, refusedLetter } from "../file-slices.js";
import type { EventCodec } from "../registry/event-codec.js";
import type { KafkaSettings } from "./client.js";
import { type EventsTopic, eventRecord } from "./event-records.js";
import { letterRecord } from "./letter-records.js";
import { type OutRecord, positionAfter, type TopicLimits } from "./out-records.js";
import type { TopicFollower } from "./topic-follower.js";
import { TopicTable } from "./topic-table.js";
import { readableEndsOf } from "./topics.js";
import { Transactions } from "./transactions.js";

export interface KafkaFilesOptions {
  readonly kafka: Kafka;
  /** Reads the files topic, and is started. */
  readonly follower: TopicFollower;
  readonly settings: KafkaSettings;
  readonly store: KeyValueStore;
  readonly codec: EventCodec;
  readonly events: EventsTopic;
  readonly limits: TopicLimits;
  readonly now?: () => EpochMs;
}

/** A file whose slices this process takes: nobody else can, as long as its transactions succeed. */
interface OpenFile {
  readonly transactions: Transactions;
  progress: FileProgress;
  /** Of all events of the log before it was opened, and of its own since. */
  readonly position: Map<Partition, Offset>;
}

/** Files that stay open at once; those without a slice under way are closed, the longest open first. */
const MAX_OPEN = 8;

/**
 * Rows of files, sent slice by slice; how far a file has come is in the transaction of its rows. Whoever takes a slice of a file takes the
 * file's transactional id first and reads what is committed then, so of two processes with the same rows one is refused.
 */
export class KafkaFiles implements FileIntake {
  private readonly table: TopicTable;
  private readonly turns = new FileTurns();
  private readonly files = new Map<string, OpenFile>();
  private readonly now: () => EpochMs;

  constructor(private readonly options: KafkaFilesOptions) {
    this.table = new TopicTable({ ...options, topic: options.settings.topics.files, prefix: "f" });
    this.now = options.now ?? Date.now;
  }

  /** @throws KindredError BROKER_FAILED, STORAGE_FAILED */
  open(): Promise<void> {
    return this.table.open();
  }

  progress(file: string): Promise<FileProgress> {
    return this.turns.next(file, () => this.committed(file));
  }

  /** @throws KindredError OWNERSHIP_LOST (another process takes slices of the file), BROKER_FAILED: sent again, the slice is taken once all the same */
  take(slice: FileSlice): Promise<SliceTaken> {
    return this.turns.next(slice.file, () => this.takeNow(slice));
  }

  async close(): Promise<void> {
    await this.turns.idle();
    this.table.close();
    await Promise.all([...this.files.keys()].map((file) => this.closeFile(file)));
  }

  private async takeNow(slice: FileSlice): Promise<SliceTaken> {
    const file = await this.openFile(slice.file);
    const progress = progressWith(file.progress, slice);
    if (progress === undefined) return { taken: false, progress: file.progress, position: new Map(file.position) };
    try {
      const written = await this.write(file, slice, progress);
      for (const [partition, offset] of written) file.position.set(partition, offset);
      file.progress = progress;
    } catch (error) {
      // What holds is read again.
      await this.closeFile(slice.file);
      throw error;
    }
    if (progress.done) await this.closeFile(slice.file);
    return { taken: true, progress, position: new Map(file.position) };
  }

  private async write({ transactions }: OpenFile, { file, events, refused }: FileSlice, progress: FileProgress): Promise<Position> {
    const { settings, codec, events: topic, limits } = this.options;
    const encode = await codec.eventEncoder(topic.topic);
    const now = this.now();
    const rows = events.map((event) => eventRecord(topic, event, encode(event), now));
    for (const row of rows) limits.check(row);
    const letters = refused.map((line) => letterRecord(settings.topics.deadLetters, refusedLetter(line), now, limits));
    const cursor: OutRecord = {
      topic: settings.topics.files,
      partition: 0,
      key: Buffer.from(file),
      value: Buffer.from(JSON.stringify(progress)),
      timestamp: now,
    };
    return transactions.run(async (send) => {
      const position = positionAfter(topic.topic, rows, await send(rows));
      await send([...letters, cursor]);
      return position;
    });
  }

  private async openFile(hash: string): Promise<OpenFile> {
    const known = this.files.get(hash);
    if (known?.transactions.isOpen) return known;
    const { kafka, settings, limits, events } = this.options;
    for (const other of this.files.keys())
      if (this.files.size >= MAX_OPEN && other !== hash && !this.turns.has(other)) await this.closeFile(other);
    const transactions = new Transactions(kafka, `${settings.groupId}-files-${hash.slice(0, 16)}`, limits);
    await transactions.open();
    try {
      const progress = await this.committed(hash);
      const ends = await readableEndsOf(kafka, events.topic);
      const position = new Map([...ends].flatMap(([partition, { high }]) => (high > 0 ? [[partition, high as Offset] as const] : [])));
      const file: OpenFile = { transactions, progress, position };
      this.files.set(hash, file);
      return file;
    } catch (error) {
      await transactions.close();
      throw error;
    }
  }

  private async closeFile(hash: string): Promise<void> {
    const file = this.files.get(hash);
    this.files.delete(hash);
    await file?.transactions.close();
  }

  private async committed(file: string): Promise<FileProgress> {
    await this.table.caughtUp();
    const value = await this.table.get(file);
    return value === undefined ? NEVER_BEGUN : (JSON.parse(Buffer.from(value).toString()) as FileProgress);
  }
}
