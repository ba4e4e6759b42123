import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Kafka, type KafkaConfig, logLevel, type SASLOptions } from "kafkajs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMPACTS_SOON, startBroker, type TestBroker } from "../harness/kafka-broker.js";
import { sleep } from "../harness/kindred-process.js";
import { canStart } from "../harness/server-files.js";
import { type ReadRecord, TestTopics } from "../harness/test-topics.js";

const USERS = { ada: "ada-secret", bob: "bob-secret" };
const texts = (records: readonly ReadRecord[]): string[] => records.map(({ key, value }) => `${key}=${value}`);

/** Whether a promise is settled after a while; it goes on either way. */
const settlesWithin = (promise: Promise<unknown>, ms: number): Promise<boolean> =>
  Promise.race([
    promise.then(
      () => true,
      () => true,
    ),
    sleep(ms).then(() => false),
  ]);

/** What a client sees that comes in by the secured listener, at its first try. */
async function listTopics(broker: TestBroker, config: Partial<KafkaConfig>): Promise<string[]> {
  const brokers = [filesOf(broker).secureBrokers];
  const admin = new Kafka({ logLevel: logLevel.NOTHING, retry: { retries: 0 }, ...config, brokers }).admin();
  try {
    await admin.connect();
    return await admin.listTopics();
  } finally {
    await admin.disconnect();
  }
}

function filesOf({ secure }: TestBroker): NonNullable<TestBroker["secure"]> {
  if (secure === undefined) throw new Error("this broker has no secured listener");
  return secure;
}

const pem = (file: string): Promise<string> => readFile(file, "utf8");
const login = (mechanism: "plain" | "scram-sha-256" | "scram-sha-512", password: string): SASLOptions => ({
  mechanism,
  username: "ada",
  password,
});

describe.skipIf(!canStart("kafka"))("a broker of a test's own", () => {
  let broker: TestBroker;
  let topics: TestTopics;
  beforeAll(async () => {
    broker = await startBroker({ scramUsers: USERS });
    topics = new TestTopics(broker.brokers);
  });
  afterAll(async () => {
    await topics.close();
    await broker.stop();
    expect(existsSync(broker.dataDir)).toBe(false);
  });

  it("has everything still after it was killed and started again", async () => {
    const topic = await topics.topic("events");
    await topics.produce(topic, [{ key: "a", value: "before" }]);
    const { pid, brokers } = broker;
    await broker.kill();
    expect(() => process.kill(pid, 0)).toThrow();
    await broker.restart();
    expect(broker.brokers).toBe(brokers);
    expect(broker.pid).not.toBe(pid);
    await topics.produce(topic, [{ key: "a", value: "after" }]);
    expect(texts(await topics.read(topic))).toEqual(["a=before", "a=after"]);
  });

  it("lets clients wait while it is paused, and answers them once it goes on", async () => {
    const topic = await topics.topic("events");
    broker.pause();
    const produced = topics.produce(topic, [{ key: "a", value: "waits" }]);
    const early = await settlesWithin(produced, 1_000);
    broker.resume();
    expect(early).toBe(false);
    await produced;
    expect(texts(await topics.read(topic))).toEqual(["a=waits"]);
  });

  it("shows a reader what is committed, and the end behind an aborted transaction", async () => {
    const topic = await topics.topic("events");
    const producer = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING }).producer({
      transactionalId: "of-a-test",
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    for (const outcome of ["commit", "abort"] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ key: "a", value: outcome }] });
      await transaction[outcome]();
    }
    await producer.disconnect();
    expect(texts(await topics.read(topic))).toEqual(["a=commit"]);
    // Two records and a marker behind each.
    expect(await topics.watermarks(topic)).toEqual([{ partition: 0, low: 0, high: 4 }]);
  });

  it("compacts within seconds a topic that asks for it", async () => {
    const topic = await topics.topic("rows", { config: COMPACTS_SOON });
    await topics.produce(topic, [
      { key: "a", value: "old" },
      { key: "b", value: "only" },
    ]);
    await topics.produce(topic, [{ key: "a", value: "new" }]);
    const deadline = Date.now() + 20_000;
    let kept: string[] = [];
    do {
      // What closes the segment.
      await sleep(300);
      await topics.produce(topic, [{ key: "c", value: "c" }]);
      kept = texts(await topics.read(topic)).filter((text) => text !== "c=c");
    } while (kept.includes("a=old") && Date.now() < deadline);
    expect(kept).toEqual(["b=only", "a=new"]);
  });

  describe("by its secured listener", () => {
    it.each(["plain", "scram-sha-256", "scram-sha-512"] as const)(
      "lets the right password in by %s and a wrong one not",
      async (mechanism) => {
        const ssl = { ca: await pem(filesOf(broker).caFile) };
        const topic = await topics.topic("secret");
        expect(await listTopics(broker, { ssl, sasl: login(mechanism, USERS.ada) })).toContain(topic);
        await expect(listTopics(broker, { ssl, sasl: login(mechanism, USERS.bob) })).rejects.toThrow(/authentication/i);
      },
    );

    it("is signed by its own authority and no other", async () => {
      const sasl = login("plain", USERS.ada);
      await expect(listTopics(broker, { ssl: { ca: await pem(filesOf(broker).strangerCaFile) }, sasl })).rejects.toThrow(/certificate/i);
      await expect(listTopics(broker, { ssl: false, sasl })).rejects.toThrow();
    });
  });
});

describe.skipIf(!canStart("kafka"))("a broker that wants certificates of its clients", () => {
  it("lets in who has one that its authority signed", async () => {
    const broker = await startBroker({ scramUsers: USERS, clientCertificates: true });
    try {
      const { caFile, clientCertFile, clientKeyFile } = filesOf(broker);
      const sasl = login("scram-sha-256", USERS.ada);
      const ssl = { ca: await pem(caFile), cert: await pem(clientCertFile), key: await pem(clientKeyFile) };
      expect(await listTopics(broker, { ssl, sasl })).toEqual(expect.any(Array));
      await expect(listTopics(broker, { ssl: { ca: ssl.ca }, sasl })).rejects.toThrow();
    } finally {
      await broker.stop();
    }
  });
});

describe.skipIf(!canStart("kafka"))("a broker that does not come up", () => {
  it("is told with its own words", async () => {
    await expect(startBroker({ extraProperties: { "num.network.threads": "none" } })).rejects.toThrow(
      /Invalid value none for configuration num\.network\.threads/,
    );
    await expect(startBroker({ heapMb: 8 })).rejects.toThrow(/^the Kafka broker does not come up: it ended with [\s\S]*OutOfMemoryError/);
  });
});
