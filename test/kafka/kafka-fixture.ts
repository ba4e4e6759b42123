import { randomUUID } from "node:crypto";
import type { Kafka, KafkaMessage } from "kafkajs";
import { buildConfig } from "../../schemas/config-validation.js";
import { KindredError } from "../../schemas/errors.js";
import { type BehaviourEvent, parseEvent } from "../../schemas/event.js";
import type { ItemId, UserId } from "../../schemas/ids.js";
import { parseItemInfo } from "../../schemas/item.js";
import { type KafkaSettings, kafkaClient } from "../../streams/kafka/client.js";
import { TopicFollower } from "../../streams/kafka/topic-follower.js";
import { ensureTopics, withAdmin } from "../../streams/kafka/topics.js";
import type { EventCodec } from "../../streams/registry/event-codec.js";
import { kafkaBrokers } from "../harness/given-servers.js";

export const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** Topics and a group that nobody else has, on the brokers of the tests. */
export class KafkaFixture {
  readonly settings: KafkaSettings;
  readonly kafka: Kafka;
  private readonly followers: TopicFollower[] = [];

  constructor(partitions = 3, address = kafkaBrokers()) {
    const name = `t${randomUUID().slice(0, 8)}`;
    const topics = ["events", "items", "changelog", "deadLetters", "catalogues", "generations", "files"];
    const kafka = {
      brokers: address,
      format: "json",
      groupId: name,
      partitions,
      topics: Object.fromEntries(topics.map((topic) => [topic, `${name}.${topic}`])),
    };
    this.settings = buildConfig([{ where: () => "", values: { source: { kind: "kafka" }, kafka } }]).kafka;
    this.kafka = kafkaClient(this.settings, silent);
  }

  get topics(): KafkaSettings["topics"] {
    return this.settings.topics;
  }

  async open(): Promise<this> {
    await ensureTopics(this.kafka, this.settings);
    return this;
  }

  async follower(...topics: string[]): Promise<TopicFollower> {
    const follower = new TopicFollower(this.kafka, topics, this.settings, silent);
    this.followers.push(follower);
    await follower.start();
    return follower;
  }

  /** What was committed to a topic, by partition. */
  async read(topic: string, kafka = this.kafka): Promise<Map<number, KafkaMessage[]>> {
    const found = new Map<number, KafkaMessage[]>();
    const follower = new TopicFollower(kafka, [topic], this.settings, silent);
    try {
      await follower.start();
      const partitions = await withAdmin(this.kafka, (admin) => admin.fetchTopicOffsets(topic));
      for (const { partition } of partitions) {
        const records: KafkaMessage[] = [];
        found.set(partition, records);
        follower.follow(topic, partition, 0, { take: (more) => void records.push(...more) });
      }
      await Promise.all(partitions.map(({ partition }) => follower.caughtUp(topic, partition)));
      return found;
    } finally {
      await follower.close();
    }
  }

  /** All records of a topic, partition by partition. */
  async all(topic: string): Promise<KafkaMessage[]> {
    return [...(await this.read(topic)).values()].flat();
  }

  async close(): Promise<void> {
    await Promise.all(this.followers.map((follower) => follower.close()));
    const names = Object.values(this.topics);
    await withAdmin(this.kafka, (admin) => admin.deleteTopics({ topics: names })).catch(() => undefined);
  }
}

/** Plain JSON values, checked by the usual rules. */
export class JsonCodec implements EventCodec {
  constructor(private readonly actions: ReadonlySet<string> = new Set(["play", "like"])) {}

  async ready(): Promise<void> {}

  event(value: Uint8Array, latestTs: number): BehaviourEvent {
    const parsed = parseEvent(this.json(value), { actions: this.actions, latestTs });
    if (!parsed.ok) throw new KindredError(parsed.error.code, parsed.error.message);
    return parsed.value;
  }

  item(value: Uint8Array) {
    const parsed = parseItemInfo(this.json(value));
    if (!parsed.ok) throw new KindredError(parsed.error.code, parsed.error.message);
    return parsed.value;
  }

  private json(value: Uint8Array): unknown {
    try {
      return JSON.parse(Buffer.from(value).toString());
    } catch {
      throw new KindredError("RECORD_UNREADABLE", "the value is not JSON");
    }
  }

  async eventEncoder() {
    return (event: object): Buffer => Buffer.from(JSON.stringify(event));
  }

  async itemEncoder() {
    return (item: object): Buffer => Buffer.from(JSON.stringify(item));
  }

  stats() {
    return { waiting: 0, fetches: 0, failures: 0 };
  }

  async close(): Promise<void> {}
}

export const event = (user: string, item: string, more: Partial<BehaviourEvent> = {}): BehaviourEvent => ({
  user: user as UserId,
  item: item as ItemId,
  action: "play",
  ts: 1_700_000_000_000,
  ...more,
});

/** Tries until it holds. */
export async function eventually(check: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  for (const end = Date.now() + timeoutMs; !(await check()); ) {
    if (Date.now() > end) throw new Error("it never came to hold");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
