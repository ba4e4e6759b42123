import { join } from "node:path";
import type { ItemVectorsOf } from "../../../schemas/catalogue.js";
import { KindredError } from "../../../schemas/errors.js";
import type { EpochMs, Offset, Partition } from "../../../schemas/ids.js";
import type { UpdaterMetrics } from "../../../schemas/ports/admin.js";
import type { FoldedBatch } from "../../../schemas/ports/folded-batch.js";
import type { KeyValueStore } from "../../../schemas/ports/key-value-store.js";
import { agesOf } from "../../../streams/kafka/kafka-changelog.js";
import { endsOf } from "../../../streams/kafka/topics.js";
import { untrainedGeneration } from "../fold-configuration.js";
import { GenerationVectors } from "../item-vectors.js";
import { SearchIndex } from "../search-index.js";
import type { NodeOptions, ServingNode } from "../serving-node.js";
import { UpdaterCounters } from "../updater-counters.js";
import { KafkaTopics } from "./kafka-topics.js";
import { type OpenReplica, openReplica } from "./open-replica.js";
import { openPartitionStore } from "./partition-stores.js";
import { patientVectors } from "./patient-vectors.js";
import { RecallGenerations } from "./recall-generations.js";
import { appliedOf, ownerOf } from "./rows-of-partitions.js";

/** How often in the time of the watchdog the end of the log is looked for. */
const LOOKS = 4;

interface Followed extends OpenReplica {
  readonly store: KeyValueStore;
}

/**
 * What answers where Kafka is the log: the rows of every partition as their owners' changelogs have them, in stores of its own, and in the
 * memory that recall reads. It folds nothing, so that any number of them serve beside any number of updaters.
 */
export class RecallNode implements ServingNode {
  private readonly counters = new UpdaterCounters("kafka");
  private readonly stopping = new AbortController();
  private readonly followed = new Map<Partition, Followed>();
  private searchIndex: SearchIndex | undefined;
  private opening: Promise<SearchIndex> | undefined;
  private saving: NodeJS.Timeout | undefined;
  private looking: NodeJS.Timeout | undefined;
  /** Freshness is measured of what was accepted from here on: before, this node was not there to have it. */
  private liveSince: EpochMs = Number.POSITIVE_INFINITY;
  /** Ends of the events topic as of the last look. */
  private ends = new Map<Partition, Offset>();
  private saved: Promise<void> = Promise.resolve();
  private failure: unknown;

  private readonly itemVectors: ItemVectorsOf;
  readonly generations: ServingNode["generations"];
  private readonly live: RecallGenerations;

  private constructor(
    private readonly options: NodeOptions,
    private readonly topics: KafkaTopics,
  ) {
    const { config, log } = options;
    this.itemVectors = options.itemVectors ?? patientVectors(GenerationVectors.of(config).of, log, this.stopping.signal);
    this.live = new RecallGenerations({
      untrained: untrainedGeneration(config),
      itemVectors: this.itemVectors,
      read: () => topics.generations.record(this.stopping.signal),
      catalogue: (number) => topics.catalogues.get(number),
      index: () => this.searchIndex,
      users: () => this.rows(),
      log,
      onServing: (space) => options.onServing?.(space),
    });
    this.generations = this.live.port;
    topics.onLive((record) => this.live.told(record));
  }

  /** Takes the directory. @throws KindredError DIRECTORY_IN_USE, BROKER_FAILED, TOPIC_MISMATCH, ... */
  static async open(options: NodeOptions): Promise<RecallNode> {
    const topics = await KafkaTopics.open({ ...options, directory: join(options.config.dataDir, "recall"), follows: "rows" });
    const node = new RecallNode(options, topics);
    topics.failed.addEventListener("abort", () => node.fail(topics.failed.reason));
    return node;
  }

  /** Reads what the changelogs have, builds what recall reads, and goes live. */
  async start(): Promise<void> {
    const { topics } = this;
    const { signal } = this.stopping;
    await topics.start(signal);
    await topics.followGenerations([untrainedGeneration(this.options.config)], signal, (error) => this.fail(error));
    await this.live.load();
    for (const partition of topics.partitionNumbers) this.followed.set(partition, await this.openReplica(partition));
    const startedAt = performance.now();
    await Promise.all([...this.followed.values()].map(({ reader }) => reader.readToEnd(signal)));
    signal.throwIfAborted();
    const seconds = (performance.now() - startedAt) / 1000;
    this.options.log.info({ seconds, rows: this.rows() }, "the changelogs were read");
    // What was applied by now is found in the rows; what is applied from here on waits for the index, and is published into it.
    const opening = this.openIndex();
    this.opening = opening;
    this.searchIndex = await opening;
    this.liveSince = Date.now();
    this.searchIndex.start();
    this.live.start();
    await this.lookAtLog();
    this.looking = setInterval(() => void this.lookAtLog(), this.options.config.kafka.watchdogMs / LOOKS);
    this.saving = setInterval(() => this.save(), this.options.config.index.saveIntervalMs);
  }

  get index(): SearchIndex | undefined {
    return this.searchIndex;
  }

  get intake(): ServingNode["intake"] {
    return this.topics.intake;
  }

  get deadLetters(): ServingNode["deadLetters"] {
    return this.topics.deadLetters;
  }

  get files(): ServingNode["files"] {
    return this.topics.files;
  }

  readonly owner: ServingNode["owner"] = ownerOf(
    () => [...this.followed.values()].map(({ replica }) => replica),
    () => this.topics.partitions,
    (items) => this.topics.items.getMany(items),
  );

  applied(): ReturnType<ServingNode["applied"]> {
    return appliedOf([...this.followed.values()].map(({ replica }) => replica));
  }

  metrics(): UpdaterMetrics {
    return this.counters.snapshot({
      sourceLagEvents: this.lag(),
      stateRows: this.rows(),
      index: this.searchIndex?.stats(),
      bands: this.searchIndex?.bands(),
      registry: this.topics.codec.stats(),
    });
  }

  interrupt(): void {
    this.stopping.abort(new KindredError("NOT_READY", "the recall node is stopping"));
    this.topics.interrupt();
  }

  async close(): Promise<void> {
    this.interrupt();
    clearInterval(this.saving);
    clearInterval(this.looking);
    this.live.stop();
    await this.topics.close();
    await this.opening?.catch(() => undefined);
    await this.saved;
    try {
      if (this.failure === undefined) await this.saveOnce();
    } finally {
      await this.searchIndex?.close();
      for (const { store } of this.followed.values()) await store.close();
    }
  }

  private async openReplica(partition: Partition): Promise<Followed> {
    const { partitions, follower, catalogues } = this.topics;
    const store = await openPartitionStore(this.options.config, "recall", partition);
    try {
      const { itemVectors } = this;
      const parts = { ...this.options, itemVectors, partitions, follower, catalogues };
      return { store, ...(await openReplica(parts, store, partition, (...news) => this.recallable(...news))) };
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  private async recallable(batches: readonly FoldedBatch[], messages: Parameters<typeof agesOf>[0]): Promise<void> {
    if (!this.opening) return;
    await this.opening;
    for (const batch of batches) {
      await this.live.prepare(batch);
      this.publish(batch);
    }
    const now = Date.now();
    for (const age of agesOf(messages)) if (age.acceptedAt >= this.liveSince) this.counters.recallable(age, now);
  }

  private publish(batch: FoldedBatch): void {
    this.searchIndex?.publish(batch);
    const { position, eventTime } = this.applied();
    this.options.onApplied?.(position, eventTime);
  }

  private async openIndex(): Promise<SearchIndex> {
    const { config, log, onMoved } = this.options;
    const sources = [...this.followed.values()].map(({ replica }) => replica);
    const index = await SearchIndex.open({
      config,
      live: await this.live.live(),
      serving: await this.live.first(sources.map((source) => source.summary())),
      sources,
      log,
      onSwap: ({ seconds }) => this.counters.swapped(seconds),
      ...(onMoved && { onMoved }),
    });
    // What is told meanwhile is newer than what is read here.
    let put = index.putItems(this.topics.items.all());
    const first = put;
    this.topics.onItems((items) => {
      put = put.then(() => index.putItems(items));
      return put;
    });
    await first;
    return index;
  }

  private save(): void {
    this.saved = this.saved.then(() =>
      this.saveOnce().catch((err: unknown) => this.options.log.error({ err }, "saving failed; it is tried again")),
    );
  }

  private async saveOnce(): Promise<void> {
    const position = await this.searchIndex?.save();
    for (const [partition, { replica }] of this.followed) await replica.snapshot(position?.get(partition) ?? (0 as Offset));
  }

  /** Records of the log that are not recallable here yet. */
  private lag(): number {
    let lag = 0;
    for (const [partition, { replica }] of this.followed) lag += Math.max(0, (this.ends.get(partition) ?? 0) - replica.appliedOffset);
    return lag;
  }

  private async lookAtLog(): Promise<void> {
    const { kafka } = this.topics;
    try {
      const marks = await endsOf(kafka, this.options.config.kafka.topics.events);
      this.ends = new Map([...marks].map(([partition, { high }]) => [partition, high as Offset]));
    } catch (err) {
      this.options.log.warn({ err }, "the lag could not be read");
    }
  }

  private rows(): number {
    return [...this.followed.values()].reduce((sum, { replica }) => sum + replica.summary().rows, 0);
  }

  private fail(error: unknown): void {
    if (this.failure !== undefined || this.stopping.signal.aborted) return;
    this.failure = error;
    this.options.log.error({ err: error }, "the recall node cannot go on");
    this.options.onFailed?.(error);
  }
}
