import { join } from "node:path";
import { KindredError } from "../../../schemas/errors.js";
import type { Offset, Partition } from "../../../schemas/ids.js";
import type { UpdaterMetrics } from "../../../schemas/ports/admin.js";
import type { PartitionState } from "../../../state/partition-state.js";
import { PartitionSource } from "../../../streams/kafka/partition-source.js";
import { foldSettingsOf, untrainedGeneration } from "../fold-configuration.js";
import { GenerationVectors } from "../item-vectors.js";
import { LiveGenerations } from "../live-generations.js";
import type { NodeOptions, ServingNode } from "../serving-node.js";
import { UpdaterCounters } from "../updater-counters.js";
import { CatalogueLeader } from "./catalogue-leader.js";
import { KafkaTopics } from "./kafka-topics.js";
import { ledGenerations } from "./led-generations.js";
import { recordsAtOnce } from "./memory-shares.js";
import { OwnedPartition, type OwnedPartitionParts } from "./owned-partition.js";
import { PartitionSlot } from "./partition-slot.js";
import { patientVectors } from "./patient-vectors.js";
import { appliedOf, ownerOf } from "./rows-of-partitions.js";
import { StandbyPartition } from "./standby-partition.js";

/** Its owner makes the catalogues. */
const LEADING_PARTITION = 0 as Partition;

/** A member of the group that folds: the partitions that the group gives it, each into rows of its own and into their changelog. */
export class KafkaUpdater implements ServingNode {
  readonly index = undefined;
  private readonly counters = new UpdaterCounters("kafka");
  private readonly stopping = new AbortController();
  private readonly slots: readonly PartitionSlot[];
  private readonly owned = new Map<Partition, OwnedPartition>();
  private readonly source: PartitionSource;
  private readonly leader: CatalogueLeader;
  private trimming: NodeJS.Timeout | undefined;
  private failure: unknown;

  private constructor(
    private readonly options: NodeOptions,
    private readonly topics: KafkaTopics,
  ) {
    const { config, log } = options;
    const vectors = GenerationVectors.of(config);
    const itemVectors = options.itemVectors ?? patientVectors(vectors.of, log, this.stopping.signal);
    const { kafka, partitions, follower, catalogues, codec, items } = topics;
    const onFailed = (error: unknown): void => this.fail(error);
    this.source = new PartitionSource({
      kafka,
      settings: config.kafka,
      partitions,
      capacity: 2 * recordsAtOnce(config, partitions),
      log,
      onAssigned: (ours) => this.assigned(ours),
      onFailed,
    });
    const parts: OwnedPartitionParts = {
      config,
      log,
      kafka,
      source: this.source,
      partitions,
      follower,
      catalogues,
      codec,
      itemVectors,
      keepLetters: (letters) => topics.deadLetters.keep(letters),
      onApplied: (batch) => this.counters.applied(batch, false),
      onFailed,
    };
    const begin = {
      owned: (partition: Partition) => {
        const one = new OwnedPartition(parts, partition);
        this.owned.set(partition, one);
        return one;
      },
      standby: (partition: Partition) => new StandbyPartition(parts, partition),
    };
    this.slots = topics.partitionNumbers.map((partition) => new PartitionSlot(partition, begin));
    const live = new LiveGenerations({
      store: topics.generationStore,
      models: vectors.models,
      itemVectors,
      untrained: untrainedGeneration(config),
      updateCatalogue: () => this.leader.leads((keeper) => keeper.update()),
      index: () => undefined,
      users: () => 0,
      log,
      onServing: () => undefined,
      elsewhere: true,
    });
    this.leader = new CatalogueLeader({
      log,
      keeper: {
        catalogues,
        items: () => items.all(),
        settings: foldSettingsOf(config),
        generations: () => live.refs(),
        publish: (next) => catalogues.publish(next),
        minIntervalMs: config.catalogue.minIntervalMs,
      },
      lead: (signal) => catalogues.lead(signal),
      resign: () => catalogues.resign(),
      itemsCaughtUp: () => items.caughtUp(this.stopping.signal),
      loadGenerations: () => live.load(),
      announce: () => topics.announce([untrainedGeneration(config)]),
      confirmed: (signal) => this.source.confirmed(signal),
      onFailed,
    });
    this.generations = ledGenerations(this.leader, live, config);
    topics.onItems(() => this.leader.itemsChanged());
    topics.failed.addEventListener("abort", () => this.fail(topics.failed.reason));
  }

  /** Takes the directory. @throws KindredError DIRECTORY_IN_USE, BROKER_FAILED, TOPIC_MISMATCH, ... */
  static async open(options: NodeOptions): Promise<KafkaUpdater> {
    const directory = join(options.config.dataDir, "updater");
    return new KafkaUpdater(options, await KafkaTopics.open({ ...options, directory }));
  }

  /** Joins the group; from then on partitions come and go. */
  async start(): Promise<void> {
    await this.topics.start(this.stopping.signal);
    await this.source.start();
    this.trimming = setInterval(() => this.trim(), this.options.config.index.saveIntervalMs);
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

  readonly generations: ServingNode["generations"];

  readonly owner: ServingNode["owner"] = ownerOf(
    () => this.states(),
    () => this.topics.partitions,
    (items) => this.topics.items.getMany(items),
  );

  applied(): ReturnType<ServingNode["applied"]> {
    return appliedOf(this.states());
  }

  metrics(): UpdaterMetrics {
    const stateRows = this.states().reduce((sum, state) => sum + state.summary().rows, 0);
    return this.counters.snapshot({ sourceLagEvents: this.source.lag, stateRows, registry: this.topics.codec.stats() });
  }

  interrupt(): void {
    this.stopping.abort(new KindredError("NOT_READY", "the updater is stopping"));
    this.topics.interrupt();
  }

  /** What is under way is committed, then the group is left: others go on where this one ended. */
  async close(): Promise<void> {
    this.interrupt();
    clearInterval(this.trimming);
    await this.leader.stop();
    await Promise.all(this.slots.map((slot) => slot.stop()));
    await this.source.stop();
    await this.topics.close();
  }

  private assigned(ours: ReadonlySet<Partition>): void {
    const { log, config } = this.options;
    log.info({ partitions: [...ours].sort((a, b) => a - b) }, "the group gave these partitions");
    const otherwise = config.kafka.standby ? "standby" : "idle";
    if (this.stopping.signal.aborted) return;
    for (const slot of this.slots) slot.become(ours.has(slot.partition) ? "owned" : otherwise);
    for (const partition of this.owned.keys()) if (!ours.has(partition)) this.owned.delete(partition);
    this.leader.become(ours.has(LEADING_PARTITION));
  }

  private states(): PartitionState[] {
    return [...this.owned.values()].flatMap(({ state }) => state ?? []);
  }

  /** Nobody catches up from the change records of an owner: whoever reads rows reads the changelog. */
  private trim(): void {
    for (const state of this.states())
      state
        .snapshot(state.appliedOffset as Offset)
        .catch((err: unknown) => this.options.log.warn({ err }, "the state could not be trimmed"));
  }

  private fail(error: unknown): void {
    if (this.failure !== undefined || this.stopping.signal.aborted) return;
    this.failure = error;
    this.options.log.error({ err: error }, "the updater cannot go on");
    this.options.onFailed?.(error);
  }
}
