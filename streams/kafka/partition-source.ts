import type { Consumer, EachBatchPayload, Kafka } from "kafkajs";
import { KindredError } from "../../schemas/errors.js";
import type { Offset, Partition } from "../../schemas/ids.js";
import type { Log } from "../../schemas/ports/log.js";
import { AppendSignal } from "../append-signal.js";
import type { KafkaSettings } from "./client.js";
import { asKindredError } from "./kafka-errors.js";
import { endsInTime, keepRunning } from "./keep-running.js";
import { PartitionLog } from "./partition-log.js";
import { refuseBeyond } from "./record-batch.js";
import { MAX_WAIT_MS } from "./topic-follower.js";
import { endsBefore, partitionsDiffer, readableEndsOf, type Watermarks } from "./topics.js";

/** How often the group is told how far the state is: for whoever watches its lag; kindred itself never reads it. */
const COMMIT_EVERY_MS = 5_000;
/** How often in the time of the watchdog it looks. */
const LOOKS = 4;

export interface PartitionSourceOptions {
  readonly kafka: Kafka;
  readonly settings: KafkaSettings;
  /** Partitions of the events topic when this process started: more of them are refused. */
  readonly partitions: number;
  /** Records of a partition that are kept for the pipeline; twice its batch. */
  readonly capacity: number;
  readonly log: Log;
  /** Told each time that the group was joined: these are ours, and no others. Called before anything of them is fetched. */
  readonly onAssigned: (partitions: ReadonlySet<Partition>) => void;
  /** Told once when nothing will be fetched any more. */
  readonly onFailed: (error: KindredError) => void;
}

/** What kafkajs knows of a batch beside what it says: where it was asked for from. */
type Fetched = EachBatchPayload["batch"] & { readonly fetchedOffset?: string };

interface Open {
  readonly log: PartitionLog;
  /** Folded and durable up to here: what the group is told. */
  applied: Offset;
  told: Offset;
  /** What the watchdog saw the last time: the place, and since when it is there although more could be fetched. */
  seen: number;
  stuckSince: number | undefined;
}

/**
 * The partitions of the events topic that the group gives to this process. Where reading of one begins is said by `open` alone (the
 * state knows), again each time that the group is joined: kafkajs would go on from what the group was told.
 */
export class PartitionSource {
  private readonly consumer: Consumer;
  private readonly opened = new Map<Partition, Open>();
  private readonly beaten = new AppendSignal();
  private assigned: ReadonlySet<Partition> = new Set();
  private timers: NodeJS.Timeout[] = [];
  private lastBeat = 0;
  private joined = false;
  private looking = false;
  private failure: KindredError | undefined;
  private closed = false;
  /** Where partitions ended when they were last looked at or fetched; what the lag is told from. */
  private highs = new Map<Partition, number>();

  constructor(private readonly options: PartitionSourceOptions) {
    const { kafka, settings } = options;
    this.consumer = kafka.consumer({
      groupId: settings.groupId,
      sessionTimeout: settings.sessionTimeoutMs,
      rebalanceTimeout: settings.sessionTimeoutMs,
      heartbeatInterval: Math.min(3_000, settings.sessionTimeoutMs / 10),
      maxBytesPerPartition: settings.maxBytesPerPartition,
      maxWaitTimeInMs: MAX_WAIT_MS,
      // One that was deleted would come back empty, and with as many partitions as the broker likes.
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 20, restartOnFailure: async () => true },
    });
  }

  /** Joins the group, once. @throws KindredError BROKER_FAILED */
  async start(): Promise<void> {
    const { consumer } = this;
    const { events } = consumer;
    const { topics, watchdogMs } = this.options.settings;
    consumer.on(events.GROUP_JOIN, ({ payload }) => this.onJoin(payload.memberAssignment[topics.events] ?? []));
    // Until it has joined anew, kafkajs takes no word on what to fetch; joining places every partition again.
    for (const ended of [events.STOP, events.CRASH] as const)
      consumer.on(ended, () => {
        this.joined = false;
      });
    consumer.on(events.HEARTBEAT, () => this.onBeat());
    consumer.on(events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset, batchSize } }) => {
      if (batchSize === 0) this.opened.get(partition as Partition)?.log.push([], Number(lastOffset) + 1);
    });
    const run = (): Promise<void> =>
      consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: 64,
        eachBatch: (payload) => this.onBatch(payload),
      });
    keepRunning(consumer, run, {
      closed: () => this.closed,
      onEnded: (error) => this.fail(asKindredError(error, "fetching has ended")),
      log: this.options.log,
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topic: topics.events, fromBeginning: true });
      await run();
    } catch (error) {
      throw asKindredError(error, "the group could not be joined");
    }
    this.timers = [setInterval(() => void this.tellGroup(), COMMIT_EVERY_MS), setInterval(() => void this.lookOnce(), watchdogMs / LOOKS)];
  }

  /** Fetches a partition that is ours from behind `from` on. */
  open(partition: Partition, from: Offset): PartitionLog {
    const { settings, capacity } = this.options;
    const log = new PartitionLog({
      partition,
      from,
      capacity,
      lingerMs: settings.commitIntervalMs,
      onRoom: () => this.resume(partition),
    });
    this.opened.set(partition, { log, applied: from, told: from, seen: -1, stuckSince: undefined });
    this.place(partition);
    return log;
  }

  /** Fetches no more of a partition. */
  close(partition: Partition): void {
    this.opened.get(partition)?.log.close();
    this.opened.delete(partition);
    this.pause(partition);
  }

  /** Everything up to `offset` is in the state. */
  applied(partition: Partition, offset: Offset): void {
    const open = this.opened.get(partition);
    if (open) open.applied = offset;
  }

  /** Records of our partitions that are not applied, as of the last look. */
  get lag(): number {
    let lag = 0;
    for (const [partition, { applied }] of this.opened) lag += Math.max(0, (this.highs.get(partition) ?? 0) - applied);
    return lag;
  }

  /** Where the partitions of the topic begin and end now. @throws KindredError BROKER_FAILED */
  watermarks(): Promise<Map<Partition, Watermarks>> {
    const { kafka, settings } = this.options;
    return readableEndsOf(kafka, settings.topics.events);
  }

  /** Resolves when the group has said, after this call, that this process is a member with its partitions. */
  async confirmed(signal: AbortSignal): Promise<void> {
    const since = performance.now();
    while (this.lastBeat <= since && !signal.aborted) await this.beaten.wait(undefined, signal);
    signal.throwIfAborted();
  }

  /** Leaves the group: others take the partitions over. */
  async stop(): Promise<void> {
    this.closed = true;
    for (const timer of this.timers) clearInterval(timer);
    await endsInTime(() => this.tellGroup(), this.options.log);
    for (const partition of [...this.opened.keys()]) this.close(partition);
    await endsInTime(() => this.consumer.disconnect(), this.options.log);
  }

  private onJoin(partitions: readonly number[]): void {
    this.joined = true;
    this.assigned = new Set(partitions as readonly Partition[]);
    for (const partition of this.assigned) this.pause(partition);
    this.onBeat();
    this.options.onAssigned(this.assigned);
    for (const partition of this.opened.keys()) this.place(partition);
  }

  private onBeat(): void {
    this.lastBeat = performance.now();
    this.beaten.wake();
  }

  /** Goes on where its log is; fetches where it has room. */
  private place(partition: Partition): void {
    const open = this.opened.get(partition);
    if (!open || !this.joined || this.closed || !this.assigned.has(partition)) return;
    this.consumer.seek({ topic: this.options.settings.topics.events, partition, offset: String(open.log.next) });
    if (!open.log.full) this.resume(partition);
  }

  private resume(partition: Partition): void {
    if (this.joined && !this.closed && this.assigned.has(partition))
      this.consumer.resume([{ topic: this.options.settings.topics.events, partitions: [partition] }]);
  }

  private pause(partition: Partition): void {
    if (this.joined) this.consumer.pause([{ topic: this.options.settings.topics.events, partitions: [partition] }]);
  }

  private async onBatch({ batch, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
    const partition = batch.partition as Partition;
    const open = this.opened.get(partition);
    if (!open) return;
    const end = Number(batch.highWatermark);
    if (end < open.log.next) return this.fail(endsBefore(batch.topic, partition, end, open.log.next));
    this.highs.set(partition, end);
    // Of what was asked for before the partition was placed elsewhere, or from where retention has cut to: kafkajs goes on there by itself.
    if (Number((batch as Fetched).fetchedOffset) > open.log.next && !(await this.wasCut(partition, open.log.next)))
      return this.place(partition);
    const next = Number(batch.lastOffset()) + 1;
    try {
      refuseBeyond(batch.topic, partition, next, end);
    } catch (error) {
      return this.fail(error as KindredError);
    }
    open.log.push(batch.messages, next, end);
    resolveOffset(batch.lastOffset());
    if (open.log.full) this.pause(partition);
    await heartbeat();
  }

  /** Whether records from `next` on are gone from the topic. */
  private async wasCut(partition: Partition, next: number): Promise<boolean> {
    const low = (await this.watermarks()).get(partition)?.low ?? 0;
    if (low <= next) return false;
    this.options.log.error({ partition, from: next, to: low }, "the topic's retention has cut events before they were fetched");
    return true;
  }

  private async tellGroup(): Promise<void> {
    const topic = this.options.settings.topics.events;
    const news = [...this.opened].filter(([partition, { applied, told }]) => applied > told && this.assigned.has(partition));
    if (news.length === 0 || !this.joined) return;
    const offsets = news.map(([partition, { applied }]) => ({ topic, partition, offset: String(applied) }));
    const applied = news.map(([, open]) => [open, open.applied] as const);
    try {
      await this.consumer.commitOffsets(offsets);
      for (const [open, told] of applied) open.told = told;
    } catch (err) {
      // Somebody else's partition by now, or a rebalance: nothing of ours depends on it.
      this.options.log.info({ err }, "the group was not told how far it is");
    }
  }

  /** One at a time. Where the brokers do not answer nothing can be fetched either: the time until then does not count. */
  private async lookOnce(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      await this.look();
    } catch (err) {
      for (const open of this.opened.values()) open.stuckSince = undefined;
      this.options.log.warn({ err }, "the lag could not be read");
    } finally {
      this.looking = false;
    }
  }

  /** Whether everything that is ours and behind moves; and whether the topic is still the one that it was. */
  private async look(): Promise<void> {
    // Of before the question: what is fetched while it is being answered may lie behind the end that the answer names.
    const asked = new Map([...this.opened].map(([partition, { log }]) => [partition, log.next]));
    const marks = await this.watermarks();
    const { partitions, settings } = this.options;
    if (marks.size > partitions) return this.fail(partitionsDiffer(settings.topics, marks.size, partitions));
    this.highs = new Map([...marks].map(([partition, { high }]) => [partition, high]));
    const now = performance.now();
    for (const [partition, open] of this.opened) {
      const high = marks.get(partition)?.high ?? 0;
      const { next, full } = open.log;
      const before = asked.get(partition) ?? 0;
      if (high < before) this.fail(endsBefore(settings.topics.events, partition, high, before));
      const waits = this.assigned.has(partition) && !full && next < high && next === open.seen;
      open.stuckSince = waits ? (open.stuckSince ?? now) : undefined;
      open.seen = next;
      if (open.stuckSince !== undefined && now - open.stuckSince >= settings.watchdogMs)
        this.fail(
          new KindredError(
            "NOT_FETCHED",
            `nothing of it was fetched for ${settings.watchdogMs} ms, although it goes on to ${high}`,
            `partition ${partition} offset ${next}`,
          ),
        );
    }
  }

  private fail(error: KindredError): void {
    if (this.failure || this.closed) return;
    this.failure = error;
    this.options.onFailed(error);
  }
}
