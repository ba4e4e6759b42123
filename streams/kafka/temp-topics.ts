import { type Kafka, type Producer, Partitioners } from "kafkajs";
import type { Catalogue } from "../../schemas/catalogue.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import type { CatalogueNumber, Offset, Partition } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import { decodeCatalogue, encodeCatalogue } from "../../state/catalogue-builder.js";
import type { EventCodec } from "../registry/event-codec.js";
import type { KafkaSettings } from "./client.js";
import type { TopicFollower } from "./topic-follower.js";

export class TempCatalogues {
  private readonly known = new Map<number, Catalogue>();
  private producer: Producer | undefined;
  constructor(private readonly kafka: Kafka, private readonly settings: KafkaSettings, private readonly follower: TopicFollower, private readonly partitions: number) {}
  start(): void {
    this.follower.follow(this.settings.topics.catalogues, 0, 0, { take: async (records) => { for (const { value } of records) if (value) { const c = await decodeCatalogue(value); this.known.set(c.number, c); } } });
  }
  async lead(): Promise<void> {
    this.producer = this.kafka.producer({ transactionalId: `${this.settings.groupId}-catalogues`, idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner, retry: { initialRetryTime: 20, retries: 40 }, transactionTimeout: 15000 });
    await this.producer.connect();
    await (await this.producer.transaction()).abort();
    await this.follower.caughtUp(this.settings.topics.catalogues, 0);
  }
  async resign(): Promise<void> { await this.producer?.disconnect(); this.producer = undefined; }
  async publish(catalogue: Catalogue): Promise<void> {
    const t = await this.producer!.transaction();
    await t.send({ topic: this.settings.topics.catalogues, messages: [{ key: `catalogue/${catalogue.number}`, value: Buffer.from(await encodeCatalogue(catalogue)) }] });
    await t.send({ topic: this.settings.topics.events, messages: Array.from({ length: this.partitions }, (_, partition) => ({ key: null, partition, value: JSON.stringify({ catalogue: catalogue.number }), headers: { kindred: "activate" } })) });
    await t.commit();
  }
  async put(): Promise<void> {}
  async get(number: CatalogueNumber): Promise<Catalogue | undefined> {
    if (!this.known.has(number)) await this.follower.caughtUp(this.settings.topics.catalogues, 0);
    return this.known.get(number);
  }
  async newest(): Promise<CatalogueNumber | 0> { await this.follower.caughtUp(this.settings.topics.catalogues, 0); return Math.max(0, ...this.known.keys()) as CatalogueNumber; }
}

export class TempItems {
  private readonly known = new Map<string, ItemInfo>();
  onItems: ((items: ItemInfo[]) => void) | undefined;
  constructor(private readonly settings: KafkaSettings, private readonly follower: TopicFollower, private readonly codec: EventCodec) {}
  start(): void {
    this.follower.follow(this.settings.topics.items, 0, 0, { take: (records) => { const got = records.flatMap(({ value }) => (value ? [this.codec.item(value)] : [])); for (const i of got) this.known.set(i.item, i); this.onItems?.(got); } });
  }
  async *all(): AsyncGenerator<ItemInfo> { yield* this.known.values(); }
  async getMany(ids: readonly string[]): Promise<(ItemInfo | undefined)[]> { return ids.map((i) => this.known.get(i)); }
}

export class TempIntake {
  private producer: Producer | undefined;
  constructor(private readonly kafka: Kafka, private readonly settings: KafkaSettings, private readonly codec: EventCodec) {}
  private async made(): Promise<Producer> {
    if (!this.producer) { this.producer = this.kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner }); await this.producer.connect(); }
    return this.producer;
  }
  async append(events: readonly BehaviourEvent[]): Promise<Map<Partition, Offset>> {
    const encode = await this.codec.eventEncoder(this.settings.topics.events);
    const sent = await (await this.made()).send({ topic: this.settings.topics.events, messages: events.map((e) => ({ key: e.user, value: encode(e) })), acks: -1 });
    return new Map(sent.map(({ partition, baseOffset }) => [partition as Partition, (Number(baseOffset) + events.length) as Offset]));
  }
  async putItems(items: readonly ItemInfo[]): Promise<void> {
    const encode = await this.codec.itemEncoder(this.settings.topics.items);
    await (await this.made()).send({ topic: this.settings.topics.items, messages: items.map((e) => ({ key: e.item, value: encode(e) })), acks: -1 });
  }
  async erase(user: string, at: number): Promise<{ position: Map<Partition, Offset>; payloadKeyDropped: boolean }> {
    const [s] = await (await this.made()).send({ topic: this.settings.topics.events, messages: [{ key: user, value: JSON.stringify({ user, at }), headers: { kindred: "erase" } }], acks: -1 });
    return { position: new Map([[s!.partition as Partition, (Number(s!.baseOffset) + 1) as Offset]]), payloadKeyDropped: false };
  }
  async close(): Promise<void> { await this.producer?.disconnect(); }
}
