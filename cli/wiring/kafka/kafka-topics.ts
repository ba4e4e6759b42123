import { join } from "node:path";
import type { GenerationRef } from "../../../schemas/catalogue.js";
import type { Config } from "../../../schemas/config.js";
import { KindredError } from "../../../schemas/errors.js";
import type { ItemId, Partition } from "../../../schemas/ids.js";
import type { ItemInfo } from "../../../schemas/item.js";
import type { GenerationStore, GenerationsRecord } from "../../../schemas/ports/generations.js";
import type { KeyValueStore } from "../../../schemas/ports/key-value-store.js";
import type { Log } from "../../../schemas/ports/log.js";
import { openRocksStore } from "../../../state/rocks-store.js";
import { type KafkaClient, kafkaClient } from "../../../streams/kafka/client.js";
import { KafkaCatalogues } from "../../../streams/kafka/kafka-catalogues.js";
import { KafkaDeadLetters } from "../../../streams/kafka/kafka-dead-letters.js";
import { KafkaFiles } from "../../../streams/kafka/kafka-files.js";
import { KafkaGenerations } from "../../../streams/kafka/kafka-generations.js";
import { KafkaIntake } from "../../../streams/kafka/kafka-intake.js";
import { KafkaItems } from "../../../streams/kafka/kafka-items.js";
import { KafkaProducer } from "../../../streams/kafka/kafka-producer.js";
import { TopicLimits } from "../../../streams/kafka/out-records.js";
import { TopicFollower } from "../../../streams/kafka/topic-follower.js";
import { ensureTopics } from "../../../streams/kafka/topics.js";
import { type EventCodec, jsonCodec, registryCodec } from "../../../streams/registry/event-codec.js";
import { eventRulesOf } from "../fold-configuration.js";
import { makeLogger } from "../logger.js";

export interface KafkaTopicsOptions {
  readonly config: Config;
  readonly log: Log;
  /** Of this process's own: what it keeps of topics, so that a restart goes on there. */
  readonly directory: string;
  /** What is read beside items, catalogues, generations and files: the changelog, or the events themselves. */
  readonly follows?: "rows" | "events" | "nothing";
}

/** Small tables, rarely written. */
const ROCKS = { cacheBytes: 8 << 20, writeBufferBytes: 4 << 20 } as const;

type Told = (infos: readonly ItemInfo[], deleted: readonly ItemId[]) => Promise<void> | void;

/** The topics of one installation as a process uses them: what it produces to, and what of them it keeps. */
export class KafkaTopics {
  readonly producer: KafkaProducer;
  /** Of changelogs, or events. */
  readonly follower: TopicFollower;
  /** Each by itself: one that waits (for the registry, or for a catalogue that a row asks for) must not keep the others from what it waits for. */
  private readonly followers: readonly TopicFollower[];
  readonly catalogues: KafkaCatalogues;
  readonly items: KafkaItems;
  readonly generations: KafkaGenerations;
  readonly deadLetters: KafkaDeadLetters;
  readonly files: KafkaFiles;
  readonly intake: KafkaIntake;
  private readonly stopping = new AbortController();
  private told: Told = () => undefined;
  private onGeneration: (announced: GenerationRef) => void = () => undefined;
  private onRecord: (record: GenerationsRecord) => void = () => undefined;
  /** Aborts when topics cannot be read any more. */
  readonly failed: AbortSignal;

  private constructor(
    private readonly options: KafkaTopicsOptions,
    readonly kafka: KafkaClient,
    readonly codec: EventCodec,
    /** Of the events topic, and of the changelog. */
    readonly partitions: number,
    private readonly store: KeyValueStore,
    limits: TopicLimits,
  ) {
    const { config, log, follows = "rows" } = options;
    const { kafka: settings, journal, deadLetters } = config;
    const { topics, groupId } = settings;
    const events = { topic: topics.events, partitions };
    const reading = (...names: string[]): TopicFollower => new TopicFollower(kafka, names, settings, log);
    const tables = reading(topics.catalogues, topics.generations, topics.files);
    const itemsFollower = reading(topics.items);
    this.follower = reading(follows === "events" ? topics.events : topics.changelog);
    this.followers = follows === "nothing" ? [tables, itemsFollower] : [tables, itemsFollower, this.follower];
    this.failed = AbortSignal.any(this.followers.map(({ failed }) => failed));
    const room = { maxPendingBytes: journal.maxPendingBytes, maxPendingRecords: journal.maxLagEvents };
    const producer = new KafkaProducer(kafka, limits, room, log);
    const common = { kafka, follower: tables, store, settings, codec, events, limits, producer, groupId, log };
    this.producer = producer;
    this.catalogues = new KafkaCatalogues({ ...common, topic: topics.catalogues });
    this.generations = new KafkaGenerations({
      ...common,
      topic: topics.generations,
      onGeneration: (announced) => this.onGeneration(announced),
      onRecord: (record) => this.onRecord(record),
    });
    this.deadLetters = new KafkaDeadLetters({ ...common, rules: eventRulesOf(config), maxLetters: deadLetters.limit });
    this.files = new KafkaFiles(common);
    this.items = new KafkaItems({
      ...common,
      follower: itemsFollower,
      topic: topics.items,
      onItems: (infos, deleted) => this.told(infos, deleted),
      // A shadow writes to no topic: the live ones have these letters.
      onLetters: (letters) => (follows === "events" ? Promise.resolve() : this.deadLetters.keep(letters)),
      signal: this.stopping.signal,
    });
    const forgetLetters = (user: Parameters<KafkaDeadLetters["forget"]>[0]): Promise<number> => this.deadLetters.forget(user);
    this.intake = new KafkaIntake({ producer, codec, events, items: { topic: topics.items, partitions: 1 }, forgetLetters });
  }

  /** Takes the directory; makes the topics that are missing. @throws KindredError DIRECTORY_IN_USE, BROKER_FAILED, TOPIC_MISMATCH, CONFIG_INVALID */
  static async open(options: KafkaTopicsOptions): Promise<KafkaTopics> {
    const { config, log, directory } = options;
    const { kafka: settings, registry } = config;
    const store = await openRocksStore(join(directory, "topics"), ROCKS);
    try {
      const kafka = kafkaClient(settings, log);
      const partitions = await ensureTopics(kafka, settings);
      const limits = await new TopicLimits().load(kafka, Object.values(settings.topics));
      const codec =
        settings.format === "json" ? jsonCodec() : registryCodec({ ...registry, cacheDirectory: join(directory, "schemas"), log });
      return new KafkaTopics(options, kafka, codec, partitions, store, limits);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Follows items, catalogues and what else is small from where it was left. */
  async start(signal: AbortSignal): Promise<void> {
    await Promise.all(this.followers.map((follower) => follower.start()));
    signal.throwIfAborted();
    await Promise.all([this.catalogues.open(), this.items.open(), this.generations.open(), this.files.open()]);
  }

  /** Ends whatever waits for topics; they are still to be closed. */
  interrupt(): void {
    for (const follower of this.followers) follower.interrupt();
  }

  get partitionNumbers(): Partition[] {
    return Array.from({ length: this.partitions }, (_, partition) => partition as Partition);
  }

  /** From now on told what is new of items. */
  onItems(told: Told): void {
    this.told = told;
  }

  /** From now on told which generations are to be live. */
  onLive(told: (record: GenerationsRecord) => void): void {
    this.onRecord = told;
  }

  /** Which are to be live, written by whoever leads the catalogues. */
  get generationStore(): GenerationStore {
    return {
      read: () => this.generations.record(),
      write: (record) => this.catalogues.send(this.generations.outRecord(record)),
    };
  }

  /** Tells which generations are live, where that is news. @throws KindredError BROKER_FAILED */
  async announce(live: readonly GenerationRef[]): Promise<void> {
    await this.generations.caughtUp();
    const known = await this.generations.list();
    for (const ref of live) if (!known.some((one) => isSameSpace(one, ref))) await this.generations.announce(ref, Date.now());
  }

  /**
   * Holds this process's item vectors against those that the group announces, now and from now on.
   * @param differs told of one that this process would search in another space
   * @throws KindredError CONFIG_INVALID: it is there already
   */
  async followGenerations(ours: readonly GenerationRef[], signal: AbortSignal, differs: (error: KindredError) => void): Promise<void> {
    this.onGeneration = (theirs) => {
      const error = differenceOf(ours, theirs);
      if (error) differs(error);
    };
    await this.generations.caughtUp(signal);
    for (const theirs of await this.generations.list()) {
      const error = differenceOf(ours, theirs);
      if (error) throw error;
    }
  }

  async close(): Promise<void> {
    this.stopping.abort(new KindredError("NOT_READY", "the topics are closed"));
    for (const close of [
      () => this.files.close(),
      () => this.deadLetters.close(),
      () => this.catalogues.close(),
      () => this.producer.close(),
      ...this.followers.map((follower) => () => follower.close()),
      () => this.codec.close(),
      () => this.store.close(),
    ])
      await close().catch((err: unknown) => this.options.log.warn({ err }, "a part of the topics could not be closed cleanly"));
  }
}

const isSameSpace = (a: GenerationRef, b: GenerationRef): boolean =>
  a.generation === b.generation && a.kind === b.kind && a.dims === b.dims && a.seed === b.seed;

function differenceOf(ours: readonly GenerationRef[], theirs: GenerationRef): KindredError | undefined {
  const own = ours.find(({ generation }) => generation === theirs.generation);
  if (!own || isSameSpace(own, theirs)) return undefined;
  return new KindredError(
    "CONFIG_INVALID",
    `generation ${theirs.generation} of the group is of kind ${theirs.kind} with ${theirs.dims} dimensions and seed ${theirs.seed}; ` +
      `here it would have ${own.dims} and ${own.seed}: set generation0 as the updaters have it`,
  );
}

/** Works on the topics without being a node. */
export async function withTopics<T>(config: Config, signal: AbortSignal, work: (topics: KafkaTopics) => Promise<T>): Promise<T> {
  const topics = await KafkaTopics.open({
    config,
    log: makeLogger(config),
    directory: join(config.dataDir, "commands"),
    follows: "nothing",
  });
  try {
    await topics.start(signal);
    return await work(topics);
  } finally {
    await topics.close();
  }
}
