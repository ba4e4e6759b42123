import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from "kafkajs";
import { KindredError } from "../../schemas/errors.js";
import type { Partition } from "../../schemas/ids.js";
import type { Log } from "../../schemas/ports/log.js";
import type { KafkaSettings } from "./client.js";
import { asKindredError } from "./kafka-errors.js";
import { againWhilePassing, endsInTime, keepRunning } from "./keep-running.js";
import { refuseBeyond, refuseDamaged } from "./record-batch.js";
import { endsBefore, endsOf, withAdmin } from "./topics.js";

/** Longer waits of the broker for something to tell would only make ending slow. */
export const MAX_WAIT_MS = 100;

/** What is done with records of one partition of a topic, in their order. */
export interface Follower {
  /**
   * Records that follow each other, and where reading goes on: also behind records that are gone or are never shown (`records` may
   * be empty). The next come when it has resolved.
   */
  take(records: readonly KafkaMessage[], next: number): Promise<void> | void;
  /** It knows what to do with records that stand for damaged ones (`damageOf`); else they end the reading. */
  readonly takesDamaged?: boolean;
}

interface Followed {
  readonly follower: Follower;
  next: number;
  readonly waiters: Set<{ readonly target: number; readonly done: () => void }>;
}

/** How often in the time of the watchdog it looks. */
const LOOKS = 4;

const keyOf = (topic: string, partition: number): string => `${topic}/${partition}`;

/**
 * Reads partitions of topics from places that the caller names, by itself: no other process shares them, and nothing is committed.
 * kafkajs reads by groups only, so this is a group of one member with a name that nobody else has; it goes when this is closed.
 * Only what was committed by transactions is shown (aborted-records.ts).
 */
export class TopicFollower {
  private readonly followed = new Map<string, Followed>();
  private readonly consumer: Consumer;
  private readonly groupId: string;
  private running = false;
  private readonly watchdogMs: number;
  private watching: NodeJS.Timeout | undefined;
  /** When kafkajs last showed that it is at work. */
  private aliveAt = performance.now();
  /** Batches that are being taken: nothing is fetched meanwhile. */
  private taking = 0;
  private joined: Promise<void> = Promise.resolve();
  private readonly failing = new AbortController();

  constructor(
    private readonly kafka: Kafka,
    private readonly topics: readonly string[],
    settings: KafkaSettings,
    private readonly log: Log,
  ) {
    // Each who waits for a place listens to it.
    setMaxListeners(0, this.failing.signal);
    this.watchdogMs = settings.watchdogMs;
    this.groupId = `${settings.groupId}-reader-${randomUUID()}`;
    this.consumer = kafka.consumer({
      groupId: this.groupId,
      sessionTimeout: settings.sessionTimeoutMs,
      heartbeatInterval: Math.min(3_000, settings.sessionTimeoutMs / 3),
      maxBytesPerPartition: settings.maxBytesPerPartition,
      maxWaitTimeInMs: MAX_WAIT_MS,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 20, restartOnFailure: async () => true },
    });
  }

  /** Joins its group; whatever is followed before or after is read from then on. @throws KindredError BROKER_FAILED */
  async start(): Promise<void> {
    const { events } = this.consumer;
    const joined = new Promise<void>((resolve, reject) => {
      this.consumer.on(events.GROUP_JOIN, ({ payload }) => {
        this.onJoin(payload.memberAssignment);
        resolve();
      });
      this.failing.signal.addEventListener("abort", () => reject(this.failing.signal.reason));
    });
    this.joined = joined;
    joined.catch(() => undefined);
    const run = (): Promise<void> =>
      this.consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 64,
        eachBatch: (payload) => this.onBatch(payload),
      });
    keepRunning(this.consumer, run, {
      closed: () => this.failed.aborted,
      onEnded: (error) => this.failing.abort(asKindredError(error, "reading topics has ended")),
      log: this.log,
    });
    for (const sign of [events.FETCH, events.HEARTBEAT, events.GROUP_JOIN] as const)
      this.consumer.on(sign, () => {
        this.aliveAt = performance.now();
      });
    this.watching = setInterval(() => void this.watch(), this.watchdogMs / LOOKS);
    // Until it has joined anew, kafkajs takes no word on what to fetch.
    for (const ended of [events.STOP, events.CRASH] as const)
      this.consumer.on(ended, () => {
        this.running = false;
      });
    // Where all of a fetch is transaction markers or was aborted, kafkajs shows nothing but this.
    this.consumer.on(events.END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset, batchSize } }) => {
      if (batchSize === 0) this.reach(this.followed.get(keyOf(topic, partition)), Number(lastOffset) + 1);
    });
    try {
      await this.consumer.connect();
      await this.consumer.subscribe({ topics: [...this.topics], fromBeginning: true });
      await run();
      await joined;
    } catch (error) {
      throw asKindredError(error, "topics could not be read");
    }
  }

  /** Aborts when reading has ended for good. */
  get failed(): AbortSignal {
    return this.failing.signal;
  }

  /** Hands the records of a partition from `from` on (0: all that are kept) to `follower`; ends an earlier following of it. */
  follow(topic: string, partition: number, from: number, follower: Follower): void {
    this.followed.set(keyOf(topic, partition), { follower, next: from, waiters: new Set() });
    if (this.running) this.place(topic, partition, from);
  }

  unfollow(topic: string, partition: number): void {
    this.followed.delete(keyOf(topic, partition));
    if (this.running) this.consumer.pause([{ topic, partitions: [partition] }]);
  }

  /** Where reading goes on; undefined where the partition is not followed. */
  next(topic: string, partition: number): number | undefined {
    return this.followed.get(keyOf(topic, partition))?.next;
  }

  /** Resolves when everything before `target` was taken. @throws KindredError NOT_READY (aborted, or followed no more), BROKER_FAILED */
  async reached(topic: string, partition: number, target: number, signal?: AbortSignal): Promise<void> {
    const followed = this.followed.get(keyOf(topic, partition));
    if (!followed) throw new KindredError("NOT_READY", `${keyOf(topic, partition)} is not followed`);
    if (followed.next >= target) return;
    const ends = signal ? AbortSignal.any([signal, this.failed]) : this.failed;
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => {
        followed.waiters.delete(waiter);
        reject(this.failed.aborted ? this.failed.reason : new KindredError("NOT_READY", "reading was ended"));
      };
      const waiter = {
        target,
        done: (): void => {
          followed.waiters.delete(waiter);
          ends.removeEventListener("abort", stop);
          resolve();
        },
      };
      followed.waiters.add(waiter);
      ends.addEventListener("abort", stop);
      if (ends.aborted) stop();
    });
  }

  /** Ends whoever waits; it is still to be closed. */
  interrupt(): void {
    if (!this.failed.aborted) this.failing.abort(new KindredError("NOT_READY", "reading was ended"));
  }

  /** Resolves when everything that is in the partition by now was taken. @throws KindredError TOPIC_MISMATCH (it ends before `next`), as `reached` */
  async caughtUp(topic: string, partition: number, signal?: AbortSignal): Promise<void> {
    // Of before the question: what is read while it is being answered may lie behind the end that the answer names.
    const next = this.next(topic, partition) ?? 0;
    const end = (await endsOf(this.kafka, topic)).get(partition as Partition);
    if (!end) throw new KindredError("TOPIC_MISMATCH", `${topic} has no partition ${partition}`);
    if (end.high < next) throw endsBefore(topic, partition, end.high, next);
    if (end.low !== end.high) await this.reached(topic, partition, end.high, signal);
  }

  async close(): Promise<void> {
    this.interrupt();
    this.running = false;
    clearInterval(this.watching);
    await this.joined.catch(() => undefined);
    await endsInTime(async () => {
      await this.consumer.disconnect();
      await withAdmin(this.kafka, (admin) => admin.deleteGroups([this.groupId])).catch(() => undefined);
    }, this.log);
  }

  /** Each time that the group is joined, kafkajs would begin where it likes. */
  private onJoin(assignment: Record<string, readonly number[]>): void {
    this.running = true;
    for (const [topic, partitions] of Object.entries(assignment))
      for (const partition of partitions) {
        const followed = this.followed.get(keyOf(topic, partition));
        if (followed) this.place(topic, partition, followed.next);
        else this.consumer.pause([{ topic, partitions: [partition] }]);
      }
  }

  private place(topic: string, partition: number, next: number): void {
    this.consumer.seek({ topic, partition, offset: String(next) });
    this.consumer.resume([{ topic, partitions: [partition] }]);
  }

  private async onBatch({ batch, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
    const followed = this.followed.get(keyOf(batch.topic, batch.partition));
    if (!followed) return;
    const records = batch.messages.filter(({ offset }) => Number(offset) >= followed.next);
    const next = Number(batch.lastOffset()) + 1;
    const beating = setInterval(() => void heartbeat().catch(() => undefined), 1_000);
    this.taking++;
    try {
      if (Number(batch.highWatermark) < followed.next)
        throw endsBefore(batch.topic, batch.partition, Number(batch.highWatermark), followed.next);
      refuseBeyond(batch.topic, batch.partition, next, Number(batch.highWatermark));
      if (!followed.follower.takesDamaged) refuseDamaged(batch.topic, batch.partition, records);
      if (next > followed.next) await this.take(keyOf(batch.topic, batch.partition), followed, records, next);
    } catch (error) {
      this.failing.abort(error);
      throw error;
    } finally {
      clearInterval(beating);
      this.taking--;
      this.aliveAt = performance.now();
    }
    if (this.failed.aborted || this.followed.get(keyOf(batch.topic, batch.partition)) !== followed) return;
    resolveOffset(batch.lastOffset());
    this.reach(followed, next);
    await heartbeat();
  }

  /** kafkajs may wait for ever after a broker went: where one answers and nothing is fetched, this ends, for whoever starts the process again. */
  private async watch(): Promise<void> {
    const isStill = (): boolean => this.taking === 0 && performance.now() - this.aliveAt >= this.watchdogMs;
    if (!isStill() || this.failed.aborted) return;
    const answers = await withAdmin(this.kafka, (admin) => admin.listTopics()).then(
      () => true,
      () => false,
    );
    if (answers && isStill())
      this.failing.abort(new KindredError("NOT_FETCHED", `nothing was fetched for ${this.watchdogMs} ms`, this.topics.join(", ")));
  }

  /** Taking the same records twice changes nothing. */
  private take(key: string, followed: Followed, records: readonly KafkaMessage[], next: number): Promise<void> {
    return againWhilePassing(async () => followed.follower.take(records, next), {
      // What takes them may be closed by then.
      ended: () => this.failed.aborted || this.followed.get(key) !== followed,
      log: this.log,
    });
  }

  private reach(followed: Followed | undefined, next: number): void {
    if (!followed || next <= followed.next) return;
    followed.next = next;
    for (const waiter of followed.waiters) if (next >= waiter.target) waiter.done();
  }
}
