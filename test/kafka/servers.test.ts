import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kafkaBrokers, registryUrl } from "../harness/given-servers.js";
import { kcat } from "../harness/kcat.js";
import { TestTopics } from "../harness/test-topics.js";

describe("the shared broker", () => {
  let topics: TestTopics;
  beforeAll(() => {
    topics = new TestTopics(kafkaBrokers());
  });
  afterAll(() => topics.close());

  it("gives back what was produced: key, value, headers, time, partition", async () => {
    const topic = await topics.topic("events", { partitions: 2 });
    await topics.produce(topic, [
      { key: "ada", value: "1", headers: { kindred: "erase" }, partition: 0, timestamp: "1700000000000" },
      { key: "bob", value: null, partition: 1, timestamp: "1700000000001" },
      { key: null, value: "3", partition: 0, timestamp: "1700000000002" },
    ]);
    const read = (await topics.read(topic)).map((r) => ({ ...r, key: r.key?.toString(), value: r.value?.toString() }));
    expect(read).toEqual([
      { partition: 0, offset: 0, key: "ada", value: "1", headers: { kindred: "erase" }, timestamp: 1_700_000_000_000 },
      { partition: 0, offset: 1, key: undefined, value: "3", headers: {}, timestamp: 1_700_000_000_002 },
      { partition: 1, offset: 0, key: "bob", value: undefined, headers: {}, timestamp: 1_700_000_000_001 },
    ]);
    expect(await topics.watermarks(topic)).toEqual([
      { partition: 0, low: 0, high: 2 },
      { partition: 1, low: 0, high: 1 },
    ]);
  });

  it("is the same broker to kcat", async () => {
    const brokers = kafkaBrokers();
    const topic = await topics.topic("events", { partitions: 3 });
    expect(await kcat(brokers, ["-L", "-t", topic])).toContain(`topic "${topic}" with 3 partitions`);
    await kcat(brokers, ["-P", "-t", topic, "-p", "2", "-K", "|", "-H", "kindred=activate", "-z", "gzip"], "ada|what kcat wrote\n");
    const [record] = await topics.read(topic);
    expect(record).toMatchObject({ partition: 2, headers: { kindred: "activate" } });
    expect(`${record?.key}: ${record?.value}`).toBe("ada: what kcat wrote");
    await topics.produce(topic, [{ key: "bob", value: "what we wrote", headers: { a: "b" }, partition: 1 }]);
    expect(await kcat(brokers, ["-C", "-t", topic, "-p", "1", "-e", "-q", "-f", "%o %k %h %s\\n"])).toBe("0 bob a=b what we wrote\n");
  });
});

describe("the shared registry", () => {
  const EVENT = { type: "record", name: "Event" };
  const user = { name: "user", type: "string" };
  const avro = (...fields: object[]): { schema: string; schemaType: string } => ({
    schema: JSON.stringify({ ...EVENT, fields }),
    schemaType: "AVRO",
  });

  it("keeps what its client registers, and refuses a schema that could not read what the last one wrote", async () => {
    const { SchemaRegistryClient } = await import("@confluentinc/schemaregistry");
    const subject = `events-${randomUUID()}-value`;
    const writer = new SchemaRegistryClient({ baseURLs: [registryUrl()] });
    const id = await writer.register(subject, avro(user));
    // Another client: this one would answer from its cache.
    const reader = new SchemaRegistryClient({ baseURLs: [registryUrl()] });
    expect(JSON.parse((await reader.getBySubjectAndId(subject, id)).schema)).toEqual({ ...EVENT, fields: [user] });
    const refused = writer.register(subject, avro(user, { name: "item", type: "string" }));
    await expect(refused).rejects.toMatchObject({ status: 409 });
    expect(await writer.register(subject, avro(user, { name: "item", type: "string", default: "" }))).not.toBe(id);
  });
});
