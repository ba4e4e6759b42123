import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { UserId } from "../../schemas/ids.js";
import { KafkaIntake } from "../../streams/kafka/kafka-intake.js";
import { KafkaProducer } from "../../streams/kafka/kafka-producer.js";
import { TopicLimits } from "../../streams/kafka/out-records.js";
import { kcat } from "../harness/kcat.js";
import { event, JsonCodec, KafkaFixture, silent } from "./kafka-fixture.js";

describe("events of HTTP and commands on their way to the topic", () => {
  const fixture = new KafkaFixture();
  const forgotten: string[] = [];
  let producer: KafkaProducer;
  let intake: KafkaIntake;
  beforeAll(async () => {
    await fixture.open();
    producer = await new KafkaProducer(fixture.kafka, new TopicLimits(), { maxPendingBytes: 1e8, maxPendingRecords: 1e5 }, silent).open();
    intake = new KafkaIntake({
      producer,
      codec: new JsonCodec(),
      events: { topic: fixture.topics.events, partitions: 3 },
      items: { topic: fixture.topics.items, partitions: 1 },
      forgetLetters: async (user) => void forgotten.push(user),
      now: () => 1_700_000_000_123,
    });
  });
  afterAll(async () => {
    await producer.close();
    await fixture.close();
  });

  it("lie in their user's partition, where another client's partitioner puts them, and the position covers them all", async () => {
    expect(await intake.append([])).toEqual(new Map());
    const users = Array.from({ length: 30 }, (_, i) => `user-${i}`);
    const position = await intake.append(users.map((user) => event(user, "song:1")));
    const kept = await fixture.read(fixture.topics.events);
    for (const [partition, records] of kept) expect(position.get(partition as never) ?? 0).toBe(records.length);
    expect(kept.get(0)?.[0]).toMatchObject({ timestamp: 1_700_000_000_123 });
    // librdkafka with the partitioner of Java's clients.
    const lines = users.map((user) => `${user}:${JSON.stringify(event(user, "song:1"))}`);
    const topic = `${fixture.settings.groupId}.theirs`;
    const admin = fixture.kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 3 }], waitForLeaders: true });
    await admin.disconnect();
    await kcat(fixture.settings.brokers, ["-P", "-t", topic, "-K:", "-X", "topic.partitioner=murmur2_random"], lines.join("\n"));
    const theirs = await fixture.read(topic);
    for (const [partition, records] of theirs) {
      const usersOf = (list: typeof records | undefined) => list?.map(({ key }) => String(key)).sort();
      expect(usersOf(kept.get(partition))).toEqual(usersOf(records));
    }
  });

  it("are followed by an erasure in the same partition, which says what it is; the user's dead letters go with it", async () => {
    const ann = "user-3" as UserId;
    const { position, payloadKeyDropped } = await intake.erase(ann, 55);
    expect(payloadKeyDropped).toBe(false);
    expect(forgotten).toEqual([ann]);
    const [[partition, offset] = [0, 0]] = [...position] as [number, number][];
    const records = (await fixture.read(fixture.topics.events)).get(partition) ?? [];
    expect(records.map(({ key }) => String(key))).toContain("user-3");
    const last = records.find((record) => Number(record.offset) + 1 === offset);
    expect(String(last?.key)).toBe("user-3");
    expect(String(last?.headers?.kindred)).toBe("erase");
    expect(JSON.parse(String(last?.value))).toEqual({ user: "user-3", at: 55 });
  });
});
