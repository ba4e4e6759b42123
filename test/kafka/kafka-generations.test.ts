import { afterAll, beforeAll, expect, it } from "vitest";
import type { GenerationRef } from "../../schemas/catalogue.js";
import type { Generation } from "../../schemas/ids.js";
import type { GenerationsRecord } from "../../schemas/ports/generations.js";
import { KafkaGenerations } from "../../streams/kafka/kafka-generations.js";
import { KafkaProducer } from "../../streams/kafka/kafka-producer.js";
import { TopicLimits } from "../../streams/kafka/out-records.js";
import { MemoryStore } from "../harness/memory-store.js";
import { KafkaFixture, silent } from "./kafka-fixture.js";

const fixture = new KafkaFixture();
let producer: KafkaProducer;
beforeAll(async () => {
  await fixture.open();
  producer = await new KafkaProducer(fixture.kafka, new TopicLimits(), { maxPendingBytes: 1e8, maxPendingRecords: 1e5 }, silent).open();
});
afterAll(async () => {
  await producer.close();
  await fixture.close();
});

const generation = (number: number): GenerationRef => ({
  generation: number as Generation,
  dims: 64,
  kind: "item2vec",
  seed: 3,
  folder: `models/${number}`,
});

async function node(store: MemoryStore, told: number[]): Promise<KafkaGenerations> {
  const topic = fixture.topics.generations;
  const generations = new KafkaGenerations({
    kafka: fixture.kafka,
    follower: await fixture.follower(topic),
    topic,
    store,
    producer,
    log: silent,
    onGeneration: ({ generation: number }) => void told.push(number),
  });
  await generations.open();
  await generations.caughtUp();
  return generations;
}

it("generations that one node announces are told to all, once each, also across a restart; what is no announcement is passed over", async () => {
  const [here, there]: [number[], number[]] = [[], []];
  const updater = await node(new MemoryStore(), here);
  const store = new MemoryStore();
  const recall = await node(store, there);
  await updater.announce(generation(2), 100);
  await updater.announce(generation(10), 200);
  const value = Buffer.from("no announcement");
  await producer.append([{ topic: fixture.topics.generations, partition: 0, key: Buffer.from("generation/3"), value }]);
  await Promise.all([updater.caughtUp(), recall.caughtUp()]);
  expect([here, there]).toEqual([
    [2, 10],
    [2, 10],
  ]);
  recall.close();
  await updater.announce({ ...generation(2), dims: 128 }, 300);
  const again: number[] = [];
  const restarted = await node(store, again);
  expect(again).toEqual([2]);
  expect(await restarted.list()).toEqual([
    { ...generation(2), dims: 128, at: 300 },
    { ...generation(10), at: 200 },
  ]);
});

it("the record of which are live is told to all and found again; one that is not readable is passed over", async () => {
  const told: number[] = [];
  const topic = fixture.topics.generations;
  const follower = await fixture.follower(topic);
  const onRecord = ({ serving }: GenerationsRecord): void => void told.push(serving);
  const one = new KafkaGenerations({
    ...fixture,
    follower,
    topic,
    store: new MemoryStore(),
    producer,
    log: silent,
    onGeneration: () => undefined,
    onRecord,
  });
  await one.open();
  const live = [{ ...generation(4), publishedAt: 100 }];
  const four = 4 as Generation;
  const record: GenerationsRecord = { highest: four, live, serving: four, previous: null, next: null, retired: [] };
  const before = await one.record();
  await producer.append([one.outRecord(record)]);
  expect([before, await one.record()]).toEqual([undefined, record]);
  await producer.append([one.outRecord({ ...record, serving: 5 as Generation })]);
  expect([await one.record(), told]).toEqual([undefined, [4]]);
  one.close();
});
