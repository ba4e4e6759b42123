import type { KafkaMessage } from "kafkajs";
import type { Offset, Partition } from "../../schemas/ids.js";
import type { LogReader, ReadOptions, SourceBatch, SourceRecord } from "../../schemas/ports/event-log.js";
import { AppendSignal } from "../append-signal.js";
import { KIND_HEADER } from "./event-records.js";
import { damageOf } from "./record-batch.js";
import { offsetOf } from "./topics.js";

export interface PartitionLogOptions {
  readonly partition: Partition;
  /** Reading begins after this position. */
  readonly from: Offset;
  /** Records that are kept before the consumer is told to fetch no more of it. */
  readonly capacity: number;
  /** Least time between two batches that are handed out, so that a commit is worth its price. */
  readonly lingerMs: number;
  /** So long a batch may be kept open for those behind it, when they do not come. */
  readonly owedMs?: number;
  /** Told when there is room again, after `full`. */
  readonly onRoom: () => void;
}

const OWED_MS = 500;

interface Chunk {
  readonly records: readonly SourceRecord[];
  /** Place of the next record of the topic behind the chunk. */
  readonly next: number;
  taken: number;
}

/**
 * What was fetched of one partition and not read yet. The consumer fills it, the pipeline empties it: when it is full nothing more is
 * fetched of this partition, so what the pipeline cannot take stays with the broker.
 */
export class PartitionLog implements LogReader {
  private readonly chunks: Chunk[] = [];
  private readonly pushed = new AppendSignal();
  private held = 0;
  private wasFull = false;
  private handedOutAt = Number.NEGATIVE_INFINITY;
  private fetchedTo: number;
  /** End of the topic as the last fetch saw it. */
  private high = 0;
  /** The last batch said that more follow. */
  private owed = false;
  private closed = false;
  private finished = false;

  constructor(private readonly options: PartitionLogOptions) {
    this.fetchedTo = options.from;
  }

  /** Place of the record that is to be fetched next. */
  get next(): number {
    return this.fetchedTo;
  }

  get full(): boolean {
    return this.held >= this.options.capacity;
  }

  /** Records that were fetched from `next` on; those before it are left out. `next` = the place behind them, `high` = the topic's end. */
  push(messages: readonly KafkaMessage[], next: number, high = next): void {
    this.high = high;
    if (this.closed || next <= this.fetchedTo) return;
    const first = messages[0];
    const fresh =
      first && Number(first.offset) < this.fetchedTo ? messages.filter(({ offset }) => Number(offset) >= this.fetchedTo) : messages;
    // What kafkajs made of a record besides would be copied by the garbage collector while it waits.
    this.chunks.push({ records: fresh.map(recordOf), next, taken: 0 });
    this.held += fresh.length;
    this.fetchedTo = next;
    this.wasFull ||= this.full;
    this.pushed.wake();
  }

  /** Nothing more is pushed: reading ends behind what is there. */
  finish(): void {
    this.finished = true;
    this.pushed.wake();
  }

  /** Nothing is handed out any more. */
  close(): void {
    this.closed = true;
    this.chunks.length = 0;
    this.held = 0;
    this.pushed.wake();
  }

  /** `after` is where the last batch ended: what was handed out is not kept. */
  async read(after: Offset, { maxRecords, signal, waitMs }: ReadOptions): Promise<SourceBatch | null> {
    const deadline = waitMs === undefined ? undefined : performance.now() + waitMs;
    const kept = performance.now() + (this.options.owedMs ?? OWED_MS);
    const left = (): number | undefined => (deadline === undefined ? undefined : deadline - performance.now());
    while (this.chunks.length === 0 && !this.closed && !signal.aborted) {
      if (this.finished) return this.owed ? this.nothing(after) : null;
      const patience = left() ?? (this.owed ? kept - performance.now() : undefined);
      if (patience !== undefined && patience <= 0) return this.nothing(after);
      await this.pushed.wait(patience, signal);
    }
    if (deadline === undefined) await this.linger(maxRecords, signal);
    if (this.closed || signal.aborted) return null;
    return this.take(maxRecords);
  }

  /** Waits until the next batch is due, or full. */
  private async linger(maxRecords: number, signal: AbortSignal): Promise<void> {
    const due = this.handedOutAt + this.options.lingerMs;
    while (this.held < maxRecords && !this.finished && !this.closed && !signal.aborted) {
      const left = due - performance.now();
      if (left <= 0) return;
      await this.pushed.wait(left, signal);
    }
  }

  private nothing(after: Offset): SourceBatch {
    this.owed = false;
    return { partition: this.options.partition, records: [], endOffset: after };
  }

  private take(maxRecords: number): SourceBatch {
    const { partition, capacity, onRoom } = this.options;
    let records: readonly SourceRecord[] = [];
    let end = 0;
    for (let chunk = this.chunks[0]; chunk && records.length < maxRecords; chunk = this.chunks[0]) {
      const until = Math.min(chunk.records.length, chunk.taken + maxRecords - records.length);
      const part = chunk.taken === 0 && until === chunk.records.length ? chunk.records : chunk.records.slice(chunk.taken, until);
      records = records.length === 0 ? part : records.concat(part);
      chunk.taken = until;
      end = until === chunk.records.length ? chunk.next : (records[records.length - 1]?.offset ?? end);
      if (until < chunk.records.length) break;
      this.chunks.shift();
    }
    this.held -= records.length;
    this.handedOutAt = performance.now();
    if (this.wasFull && this.held <= capacity / 2) {
      this.wasFull = false;
      onRoom();
    }
    const behind = this.held + Math.max(0, this.high - this.fetchedTo);
    this.owed = behind >= Math.min(maxRecords, capacity);
    return { partition, records, endOffset: end as Offset, more: this.owed };
  }
}

/** A position is what Kafka calls the next offset to read: a record's own is one above its place. */
function recordOf(message: KafkaMessage): SourceRecord {
  const { key, value, timestamp, headers } = message;
  const offset = offsetOf(message.offset);
  // Every event of a topic comes through here: with spreads its object would cost more than all else.
  const record: { -readonly [Key in keyof SourceRecord]: SourceRecord[Key] } = { offset, bytes: value, acceptedAt: Number(timestamp), key };
  const kind = headers?.[KIND_HEADER];
  if (kind !== undefined) record.kind = String(kind);
  const damage = damageOf(message);
  if (damage !== undefined) record.damage = { message: damage, through: offset };
  return record;
}
