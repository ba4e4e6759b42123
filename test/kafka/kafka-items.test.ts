import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ItemId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import { KafkaIntake } from "../../streams/kafka/kafka-intake.js";
import { KafkaItems } from "../../streams/kafka/kafka-items.js";
import { KafkaProducer } from "../../streams/kafka/kafka-producer.js";
import { partitionOf, TopicLimits } from "../../streams/kafka/out-records.js";
import type { TopicFollower } from "../../streams/kafka/topic-follower.js";
import { withAdmin } from "../../streams/kafka/topics.js";
import type { NewDeadLetter } from "../../streams/new-dead-letter.js";
import { MemoryStore } from "../harness/memory-store.js";
import { eventually, JsonCodec, KafkaFixture, silent } from "./kafka-fixture.js";

const info = (item: string, title: string): ItemInfo => ({ item: item as ItemId, type: "song", title });

describe("the items topic", () => {
  const fixture = new KafkaFixture();
  const codec = new JsonCodec();
  let producer: KafkaProducer;
  let intake: KafkaIntake;
  beforeAll(async () => {
    await fixture.open();
    producer = await new KafkaProducer(fixture.kafka, new TopicLimits(), { maxPendingBytes: 1e8, maxPendingRecords: 1e5 }, silent).open();
    const events = { topic: fixture.topics.events, partitions: 3 };
    intake = new KafkaIntake({ producer, codec, events, items: { topic: fixture.topics.items, partitions: 1 } });
  });
  afterAll(async () => {
    await producer.close();
    await fixture.close();
  });

  class Followed {
    readonly told: string[] = [];
    readonly letters: NewDeadLetter[] = [];
    items!: KafkaItems;
    private follower!: TopicFollower;

    constructor(
      readonly store: MemoryStore,
      readonly topic = fixture.topics.items,
    ) {}

    async open(): Promise<this> {
      this.follower = await fixture.follower(this.topic);
      this.items = new KafkaItems({
        kafka: fixture.kafka,
        follower: this.follower,
        topic: this.topic,
        store: this.store,
        codec,
        onItems: (infos, deleted) =>
          void this.told.push(...infos.map(({ item, title }) => `${item}=${title}`), ...deleted.map((item) => `-${item}`)),
        onLetters: async (letters) => void this.letters.push(...letters),
        signal: new AbortController().signal,
      });
      await this.items.open();
      await this.items.caughtUp();
      return this;
    }

    async close(): Promise<void> {
      this.items.close();
      await this.follower.close();
    }

    async all(): Promise<string[]> {
      const all: string[] = [];
      for await (const { item, title } of this.items.all()) all.push(`${item}=${title}`);
      return all;
    }
  }

  const put = (key: string, value: string | null, topic = fixture.topics.items) =>
    producer.append([{ topic, partition: 0, key: Buffer.from(key), value: value === null ? null : Buffer.from(value) }]);

  it("is at hand, the latest of each; a restart reads only what is new, and a tombstone deletes", async () => {
    const store = new MemoryStore();
    await intake.putItems([info("song:1", "one"), info("song:2", "two"), info("song:1", "uno")]);
    const first = await new Followed(store).open();
    expect(await first.all()).toEqual(["song:1=uno", "song:2=two"]);
    expect(await first.items.getMany(["song:2", "song:9", "song:1"] as ItemId[])).toMatchObject([
      { title: "two" },
      undefined,
      { title: "uno" },
    ]);
    first.items.close();
    await intake.putItems([info("song:3", "three")]);
    await put("song:2", null);
    const second = await new Followed(store).open();
    expect(second.told).toEqual(["song:3=three", "-song:2"]);
    expect(await second.all()).toEqual(["song:1=uno", "song:3=three"]);
    // While it is open, too.
    await intake.putItems([info("song:4", "four")]);
    await second.items.caughtUp();
    expect(await second.items.get("song:4" as ItemId)).toMatchObject({ title: "four" });
  });

  it("has records that cannot be read, or are about another item than their key: dead letters with their place, and passed over", async () => {
    const topic = `${fixture.settings.groupId}.bad-items`;
    await withAdmin(fixture.kafka, (admin) => admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true }));
    await put("song:1", "{", topic);
    await put("song:2", JSON.stringify({ item: "song:7" }), topic);
    await put("song:3", JSON.stringify({ item: "song:3", tags: "no list" }), topic);
    await put("song:4", JSON.stringify(info("song:4", "four")), topic);
    const followed = await new Followed(new MemoryStore(), topic).open();
    expect(followed.letters).toMatchObject([
      { code: "RECORD_UNREADABLE", origin: `${topic} 0:1`, original: Buffer.from("{") },
      { code: "RECORD_KEY", origin: `${topic} 0:2` },
      { code: "ITEM_INFO", origin: `${topic} 0:3` },
    ]);
    expect(await followed.all()).toEqual(["song:4=four"]);
  });

  it("is read from all of its partitions, and anew where it was made anew", async () => {
    const topic = `${fixture.settings.groupId}.again`;
    const make = () =>
      withAdmin(fixture.kafka, (admin) => admin.createTopics({ topics: [{ topic, numPartitions: 3 }], waitForLeaders: true }));
    await make();
    const send = (items: readonly string[]) =>
      producer.append(
        items.map((item) => {
          const key = Buffer.from(item);
          return { topic, partition: partitionOf(topic, key, 3), key, value: Buffer.from(JSON.stringify(info(item, "t"))) };
        }),
      );
    await send(["song:1", "song:2", "song:3", "song:4", "song:5", "song:6"]);
    const store = new MemoryStore();
    const before = await new Followed(store, topic).open();
    expect(await before.all()).toHaveLength(6);
    await before.close();
    await withAdmin(fixture.kafka, (admin) => admin.deleteTopics({ topics: [topic] }));
    // The brokers delete a topic some time after they said that they would.
    await eventually(async () => {
      await make().catch(() => undefined);
      const offsets = await withAdmin(fixture.kafka, (admin) => admin.fetchTopicOffsets(topic)).catch(() => []);
      return offsets.length === 3 && offsets.every(({ high }) => high === "0");
    });
    await send(["song:8"]);
    const after = await new Followed(store, topic).open();
    expect(await after.all()).toEqual(["song:8=t"]);
  });
});
