import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KafkaProducer, type ProducerOptions } from "../../streams/kafka/kafka-producer.js";
import { type OutRecord, partitionOf, TopicLimits } from "../../streams/kafka/out-records.js";
import { withAdmin } from "../../streams/kafka/topics.js";
import { GatedKafka } from "./gated-kafka.js";
import { eventually, KafkaFixture, silent } from "./kafka-fixture.js";

const ROOMY: ProducerOptions = { maxPendingBytes: 1 << 26, maxPendingRecords: 100_000 };

describe("the producer", () => {
  const fixture = new KafkaFixture();
  const gated: GatedKafka[] = [];
  const producers: KafkaProducer[] = [];
  beforeAll(() => fixture.open());
  afterAll(async () => {
    for (const gate of gated) gate.open();
    await Promise.all(producers.map((producer) => producer.close()));
    await fixture.close();
  });

  const gate = (): GatedKafka => {
    const made = new GatedKafka(fixture.settings);
    gated.push(made);
    return made;
  };
  async function open(options: Partial<ProducerOptions> = {}, kafka = fixture.kafka, limits = new TopicLimits()): Promise<KafkaProducer> {
    const producer = new KafkaProducer(kafka, limits, { ...ROOMY, ...options }, silent);
    producers.push(producer);
    return producer.open();
  }
  /** A topic of its own, 3 partitions. */
  async function topicOf(name: string, maxBytes?: number): Promise<string> {
    const topic = `${fixture.settings.groupId}.${name}`;
    const configEntries = maxBytes === undefined ? [] : [{ name: "max.message.bytes", value: String(maxBytes) }];
    await withAdmin(fixture.kafka, (admin) =>
      admin.createTopics({ topics: [{ topic, numPartitions: 3, configEntries }], waitForLeaders: true }),
    );
    return topic;
  }
  const record = (topic: string, key: string, value = key): OutRecord => ({
    topic,
    partition: partitionOf(topic, Buffer.from(key), 3),
    key: Buffer.from(key),
    value: Buffer.from(value),
  });

  it("chooses partitions as Java's clients do", () => {
    // murmur2 of Kafka's own test of it: -973932308, -790332482, 479470107
    expect(["21", "foobar", "abc"].map((key) => partitionOf("t", Buffer.from(key), 1_000))).toEqual(
      [-973932308, -790332482, 479470107].map((hash) => (hash & 0x7fffffff) % 1_000),
    );
  });

  it("tells each of many appends at once exactly how far its own records reach", async () => {
    const topic = await topicOf("exact");
    const producer = await open();
    const appends = Array.from({ length: 60 }, (_, n) => Array.from({ length: (n * 7) % 11 }, (_, i) => record(topic, `k${n}.${i}`)));
    const positions = await Promise.all(appends.map((records) => producer.append(records)));
    const kept = await fixture.read(topic);
    let seen = 0;
    positions.forEach((position, n) => {
      const own = new Map<number, number>();
      for (const [partition, records] of kept)
        for (const { key, offset } of records) if (String(key).startsWith(`k${n}.`)) own.set(partition, Number(offset) + 1);
      expect(new Map([...position].sort()), `append ${n}`).toEqual(own);
      seen += appends[n]?.length ?? 0;
    });
    expect([...kept.values()].flat()).toHaveLength(seen);
    // Within a partition the order is that of the appends.
    for (const records of kept.values()) {
      const order = records.map(({ key }) => Number(String(key).slice(1).split(".")[0]));
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }
  });

  it("sends an append that is larger than any batch in several", async () => {
    const topic = await topicOf("large");
    const producer = await open({}, fixture.kafka, await new TopicLimits().load(fixture.kafka, [topic]));
    const records = Array.from({ length: 40 }, (_, i) => record(topic, `k${i}`, "x".repeat(100_000)));
    const position = await producer.append(records);
    const kept = await fixture.read(topic);
    expect([...kept.values()].flat()).toHaveLength(40);
    for (const [partition, offset] of position) expect(kept.get(partition)).toHaveLength(offset);
  });

  it("takes nothing above its limits, and goes on when there is room again", async () => {
    const topic = await topicOf("bounded");
    const producer = await open({ maxPendingRecords: 10 });
    const first = producer.append(Array.from({ length: 25 }, (_, i) => record(topic, `a${i}`)));
    await expect(producer.append([record(topic, "b")])).rejects.toMatchObject({ code: "OVERLOADED", retryAfterSeconds: 1 });
    await first;
    await producer.append([record(topic, "c")]);
    const keys = (await fixture.all(topic)).map(({ key }) => String(key));
    expect(keys).toHaveLength(26);
    expect(keys).not.toContain("b");
  });

  it("refuses an append with a record that the topic does not take; others go on", async () => {
    const topic = await topicOf("limited", 20_000);
    const producer = await open({}, fixture.kafka, await new TopicLimits().load(fixture.kafka, [topic]));
    const appends = [
      producer.append([record(topic, "a")]),
      producer.append([record(topic, "b"), record(topic, "c", "x".repeat(30_000))]),
      producer.append([record(topic, "d")]),
    ];
    await expect(appends[1]).rejects.toMatchObject({ code: "EVENT_TOO_LARGE", canRetry: false });
    await Promise.all([appends[0], appends[2]]);
    expect((await fixture.all(topic)).map(({ key }) => String(key)).sort()).toEqual(["a", "d"]);
  });

  it("finds the record that a broker refuses where the limit is not known, and writes none of the others twice", async () => {
    const topic = await topicOf("unknown-limit", 20_000);
    const producer = await open();
    const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
    const small = keys.map((key) => producer.append([record(topic, key)]));
    const large = producer.append([record(topic, "large", "x".repeat(30_000))]);
    await expect(large).rejects.toMatchObject({ code: "EVENT_TOO_LARGE" });
    await Promise.all(small);
    await Promise.all(keys.map((key) => producer.append([record(topic, `later-${key}`)])));
    const kept = (await fixture.all(topic)).map(({ key }) => String(key)).sort();
    expect(kept).toEqual([...keys, ...keys.map((key) => `later-${key}`)].sort());
  });

  it("waits for brokers that are away, and writes once what it could not know to have arrived", async () => {
    const topic = await topicOf("away");
    const way = gate();
    const producer = await open({}, way.kafka);
    await producer.append([record(topic, "before")]);
    way.loseAnswers();
    const lost = producer.append([record(topic, "lost-1"), record(topic, "lost-2"), record(topic, "lost-3")]);
    await lost;
    way.close();
    const waiting = producer.append([record(topic, "waiting")]);
    setTimeout(() => way.open(), 700);
    await waiting;
    await producer.append([record(topic, "after")]);
    const kept = (await fixture.all(topic)).map(({ key }) => String(key)).sort();
    expect(kept).toEqual(["after", "before", "lost-1", "lost-2", "lost-3", "waiting"]);
  });

  it("gives up after its deadline, takes back what was not sent, and works again when the brokers do", async () => {
    const topic = await topicOf("deadline");
    const way = gate();
    const producer = await open({ deadlineMs: 600 }, way.kafka);
    way.close();
    const inFlight = producer.append([record(topic, "in-flight")]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const queued = producer.append([record(topic, "queued")]);
    await expect(inFlight).rejects.toMatchObject({ code: "BROKER_FAILED", canRetry: true });
    await expect(queued).rejects.toMatchObject({ code: "BROKER_FAILED", canRetry: true });
    way.open();
    await eventually(() =>
      producer.append([record(topic, "after")]).then(
        () => true,
        () => false,
      ),
    );
    expect((await fixture.all(topic)).map(({ key }) => String(key))).not.toContain("queued");
  });

  it("closes after what it has taken, and takes nothing then", async () => {
    const topic = await topicOf("closing");
    const producer = await open();
    const last = producer.append([record(topic, "last")]);
    await producer.close();
    await expect(last).resolves.toBeInstanceOf(Map);
    await expect(producer.append([record(topic, "late")])).rejects.toMatchObject({ code: "NOT_READY" });
    expect((await fixture.all(topic)).map(({ key }) => String(key))).toEqual(["last"]);
  });
});
