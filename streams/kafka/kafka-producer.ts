import { type Kafka, Partitioners, type Producer, type RetryOptions } from "kafkajs";
import { KindredError } from "../../schemas/errors.js";
import type { Offset, Partition } from "../../schemas/ids.js";
import type { Log } from "../../schemas/ports/log.js";
import type { Position } from "../../schemas/position.js";
import { PATIENT } from "./client.js";
import { asKindredError, typeOf } from "./kafka-errors.js";
import { bytesOf, type OutRecord, placeOf, SendRoom, sendRecords, type TopicLimits, tooLarge } from "./out-records.js";

export interface ProducerOptions {
  /** Bytes waiting for the brokers above which nothing is taken. */
  readonly maxPendingBytes: number;
  /** Records waiting for the brokers above which nothing is taken. */
  readonly maxPendingRecords: number;
  /** How long an append waits for the brokers; 10 s. */
  readonly deadlineMs?: number;
}

/** One append on its way. */
interface Job {
  readonly records: readonly OutRecord[];
  readonly bytes: number;
  readonly position: Map<Partition, Offset>;
  /** How many of the records are in a send, or were. */
  sent: number;
  acknowledged: number;
  ended: boolean;
  readonly end: (error?: KindredError) => void;
}

interface Entry {
  readonly job: Job;
  readonly record: OutRecord;
}

const TOO_LARGE: readonly (string | undefined)[] = ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"];

/** A producer of which each record arrives once, however often it is sent again. @throws KindredError BROKER_FAILED */
export async function connectIdempotent(kafka: Kafka, retry: RetryOptions): Promise<Producer> {
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry,
  });
  try {
    await producer.connect();
    return producer;
  } catch (error) {
    await producer.disconnect().catch(() => undefined);
    throw asKindredError(error, "the brokers do not answer");
  }
}

/**
 * One idempotent producer behind a group commit: what arrives while a send is under way goes together into the next, in the order
 * it came.
 */
export class KafkaProducer {
  /** In order; those whose records are all sent have left. */
  private readonly waiting = new Set<Job>();
  private readonly pending = new Set<Job>();
  private pendingBytes = 0;
  private pendingRecords = 0;
  private producer: Producer | undefined;
  private running: Promise<void> | undefined;
  private closed = false;

  constructor(
    private readonly kafka: Kafka,
    private readonly limits: TopicLimits,
    private readonly options: ProducerOptions,
    private readonly log: Log,
  ) {}

  /** @throws KindredError BROKER_FAILED */
  async open(): Promise<this> {
    await this.connected();
    return this;
  }

  /**
   * Resolves when all brokers that must have the records have them: how far they reach in each partition (of one topic).
   * @throws KindredError OVERLOADED, EVENT_TOO_LARGE, NOT_READY (closed): nothing was taken. BROKER_FAILED: they may be there all the
   * same, some or all
   */
  append(records: readonly OutRecord[]): Promise<Position> {
    if (this.closed) return Promise.reject(new KindredError("NOT_READY", "the producer is closed"));
    if (records.length === 0) return Promise.resolve(new Map());
    const bytes = records.reduce((sum, record) => sum + bytesOf(record), 0);
    try {
      for (const record of records) this.limits.check(record);
      this.admit(records.length, bytes);
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      const deadlineMs = this.options.deadlineMs ?? 10_000;
      const timer = setTimeout(() => job.end(new KindredError("BROKER_FAILED", `no broker answered within ${deadlineMs} ms`)), deadlineMs);
      const end = (error?: KindredError): void => {
        if (job.ended) return;
        job.ended = true;
        clearTimeout(timer);
        this.waiting.delete(job);
        this.pending.delete(job);
        this.pendingBytes -= bytes;
        this.pendingRecords -= records.length;
        if (error) reject(error);
        else resolve(job.position);
      };
      const job: Job = { records, bytes, position: new Map(), sent: 0, acknowledged: 0, ended: false, end };
      this.waiting.add(job);
      this.pending.add(job);
      this.pendingBytes += bytes;
      this.pendingRecords += records.length;
      this.running ??= this.run();
    });
  }

  /** Waits for what was appended (at most until its deadlines), and leaves the brokers. */
  async close(): Promise<void> {
    this.closed = true;
    while (this.pending.size > 0 && this.running) await Promise.race([this.running, new Promise((resolve) => setTimeout(resolve, 50))]);
    const { running } = this;
    await this.leave();
    // A send that nobody waits for any more would come back to the brokers once more.
    void running?.then(() => this.leave());
  }

  private admit(records: number, bytes: number): void {
    const { maxPendingBytes, maxPendingRecords } = this.options;
    // Nothing waiting takes anything: one append that is larger than the limit would otherwise never get in.
    if (this.pendingRecords === 0) return;
    if (this.pendingBytes + bytes <= maxPendingBytes && this.pendingRecords + records <= maxPendingRecords) return;
    const message = `${this.pendingRecords} records wait for the brokers; nothing of this was taken`;
    throw new KindredError("OVERLOADED", message, undefined, { retryAfterSeconds: 1 });
  }

  private async run(): Promise<void> {
    // Callers of the same turn share the first send.
    await Promise.resolve();
    while (this.waiting.size > 0) await this.write(this.take());
    this.running = undefined;
  }

  private take(): Entry[] {
    const room = new SendRoom(this.limits);
    const group: Entry[] = [];
    for (const job of this.waiting) {
      while (job.sent < job.records.length) {
        const record = job.records[job.sent] as OutRecord;
        if (!room.fits(record)) return group;
        group.push({ job, record });
        job.sent++;
      }
      this.waiting.delete(job);
    }
    return group;
  }

  /** @returns whether the producer is the same as before */
  private async write(group: readonly Entry[]): Promise<boolean> {
    try {
      const offsets = await sendRecords(
        await this.connected(),
        group.map(({ record }) => record),
      );
      group.forEach(({ job, record }, i) => {
        job.position.set(record.partition as Partition, offsets[i] as Offset);
        if (++job.acknowledged === job.records.length) job.end();
      });
      return true;
    } catch (error) {
      if (TOO_LARGE.includes(typeOf(error))) return this.isolate(group);
      const failure = asKindredError(error, "records could not be produced");
      for (const { job } of group) job.end(failure);
      await this.leave();
      return false;
    }
  }

  /**
   * A batch was refused for its size, though none is sent above the topic's limit: it was lowered meanwhile, or could not be asked for. Each
   * partition's records are sent again by themselves, then each record. That counts none twice: kafkajs has taken its sequence numbers
   * back, and the broker knows a batch that it has by them, as long as it is the same and nothing else was sent before it.
   */
  private async isolate(group: readonly Entry[]): Promise<boolean> {
    const places = new Map<string, Entry[]>();
    for (const entry of group) {
      const place = placeOf(entry.record);
      const others = places.get(place);
      if (others) others.push(entry);
      else places.set(place, [entry]);
    }
    if (group.length === 1) {
      const [{ job, record }] = group as [Entry];
      job.end(tooLarge(record.topic, bytesOf(record)));
      return true;
    }
    const parts = places.size > 1 ? [...places.values()] : group.map((entry) => [entry]);
    for (const [i, part] of parts.entries()) {
      if (await this.write(part)) continue;
      // Another producer's numbers say nothing of what the last one sent.
      const failure = new KindredError("BROKER_FAILED", "records could not be produced: those sent together with them failed");
      for (const { job } of parts.slice(i + 1).flat()) job.end(failure);
      return false;
    }
    return true;
  }

  private async connected(): Promise<Producer> {
    if (this.producer) return this.producer;
    const producer = await connectIdempotent(this.kafka, PATIENT);
    this.producer = producer;
    return producer;
  }

  /**
   * After a send that failed, kafkajs takes the sequence numbers back also of batches that did arrive; others sent under them would be
   * taken for these and be lost. So the next send is by a producer with an id of its own.
   */
  private async leave(): Promise<void> {
    const { producer } = this;
    this.producer = undefined;
    await producer?.disconnect().catch((err: unknown) => this.log.warn({ err }, "a producer could not leave the brokers"));
  }
}
