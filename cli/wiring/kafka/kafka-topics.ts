import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Catalogue } from "../../../schemas/catalogue.js";
import type { Config } from "../../../schemas/config.js";
import type { Partition } from "../../../schemas/ids.js";
import type { ItemInfo } from "../../../schemas/item.js";
import type { DeadLetters } from "../../../schemas/ports/admin.js";
import type { EventIntake } from "../../../schemas/ports/event-log.js";
import type { FileIntake } from "../../../schemas/ports/file-intake.js";
import type { Log } from "../../../schemas/ports/log.js";
import { type KafkaClient, kafkaClient } from "../../../streams/kafka/client.js";
import { TempCatalogues, TempIntake, TempItems } from "../../../streams/kafka/temp-topics.js";
import { TopicFollower } from "../../../streams/kafka/topic-follower.js";
import { ensureTopics } from "../../../streams/kafka/topics.js";
import type { NewDeadLetter } from "../../../streams/new-dead-letter.js";
import { type EventCodec, jsonCodec, registryCodec } from "../../../streams/registry/event-codec.js";
import { makeLogger } from "../offline.js";

export interface KafkaTopicsOptions {
  readonly config: Config;
  readonly log: Log;
  /** Of this process's own: what it keeps of topics. */
  readonly directory: string;
  /** What is followed beside items and catalogues. */
  readonly follows?: "rows" | "events" | "none";
}

/** The topics of one installation as a process uses them: what it produces to, and what of them it keeps. */
export class KafkaTopics {
  private constructor(
    private readonly options: KafkaTopicsOptions,
    readonly kafka: KafkaClient,
    readonly codec: EventCodec,
    /** Of the events topic, and of the changelog. */
    readonly partitions: number,
    readonly follower: TopicFollower,
    readonly catalogues: TempCatalogues,
    readonly items: TempItems,
    readonly intake: EventIntake & { close(): Promise<void> },
  ) {}

  static async open(options: KafkaTopicsOptions): Promise<KafkaTopics> {
    const { config, log, directory, follows = "rows" } = options;
    await mkdir(directory, { recursive: true });
    const { kafka: settings, registry } = config;
    const kafka = kafkaClient(settings, log);
    const partitions = await ensureTopics(kafka, settings);
    const codec = settings.format === "json" ? jsonCodec() : registryCodec({ ...registry, cacheDirectory: join(directory, "schemas"), log });
    const { changelog, events, items, catalogues } = settings.topics;
    const followed = { rows: [changelog], events: [events], none: [] }[follows];
    const follower = new TopicFollower(kafka, [...followed, items, catalogues], settings, log);
    return new KafkaTopics(
      options,
      kafka,
      codec,
      partitions,
      follower,
      new TempCatalogues(kafka, settings, follower, partitions),
      new TempItems(settings, follower, codec),
      new TempIntake(kafka, settings, codec),
    );
  }

  /** Follows items and catalogues from where they were left. */
  async start(signal: AbortSignal): Promise<void> {
    this.catalogues.start();
    this.items.start();
    await this.follower.start();
    signal.throwIfAborted();
  }

  get changelog(): string {
    return this.options.config.kafka.topics.changelog;
  }

  get partitionNumbers(): Partition[] {
    return Array.from({ length: this.partitions }, (_, partition) => partition as Partition);
  }

  get failed(): AbortSignal {
    return this.follower.failed;
  }

  readonly deadLetters = {} as DeadLetters;
  readonly files = {} as FileIntake;

  onItems(told: (items: ItemInfo[]) => void): void {
    this.items.onItems = told;
  }

  async keepLetters(_: readonly NewDeadLetter[]): Promise<void> {}

  publishCatalogue(next: Catalogue): Promise<void> {
    return this.catalogues.publish(next);
  }

  itemsCaughtUp(signal: AbortSignal): Promise<void> {
    return this.follower.caughtUp(this.options.config.kafka.topics.items, 0, signal);
  }

  async close(): Promise<void> {
    await this.intake.close();
    await this.follower.close();
    await this.codec.close();
  }
}

/** Works on the topics without being a node. */
export async function withTopics<T>(config: Config, signal: AbortSignal, work: (topics: KafkaTopics) => Promise<T>): Promise<T> {
  const topics = await KafkaTopics.open({ config, log: makeLogger(config), directory: join(config.dataDir, "topics"), follows: "none" });
  try {
    await topics.start(signal);
    return await work(topics);
  } finally {
    await topics.close();
  }
}
