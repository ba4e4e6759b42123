import { afterAll, beforeAll, expect, it } from "vitest";
import { KafkaFiles } from "../../streams/kafka/kafka-files.js";
import { KafkaProducer } from "../../streams/kafka/kafka-producer.js";
import { type OutRecord, partitionOf, TopicLimits } from "../../streams/kafka/out-records.js";
import { startBroker, type TestBroker } from "../harness/kafka-broker.js";
import { MemoryStore } from "../harness/memory-store.js";
import { event, JsonCodec, KafkaFixture, silent } from "./kafka-fixture.js";

const FILE = "f".repeat(64);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let broker: TestBroker;
let fixture: KafkaFixture;
beforeAll(async () => {
  broker = await startBroker();
  fixture = await new KafkaFixture(3, broker.brokers).open();
});
afterAll(async () => {
  await fixture?.close();
  await broker?.stop();
});

/** Appends a few records after the other, and remembers what became of each. */
class Appends {
  readonly acknowledged = new Map<string, number>();
  readonly codes = new Set<string>();
  private count = 0;

  constructor(
    private readonly producer: KafkaProducer,
    private readonly topic: string,
    private readonly name: string,
  ) {}

  async one(): Promise<void> {
    const records = Array.from({ length: 1 + (this.count % 9) }, (): OutRecord => {
      const key = Buffer.from(`${this.name}-${this.count++}`);
      return { topic: this.topic, partition: partitionOf(this.topic, key, 3), key, value: key };
    });
    try {
      const position = await this.producer.append(records);
      for (const { key, partition } of records) this.acknowledged.set(`${partition}/${key}`, position.get(partition as never) ?? 0);
    } catch (error) {
      this.codes.add((error as { code: string }).code);
      await sleep(20);
    }
    await sleep(3);
  }
}

it("what was acknowledged is there once and where it was said to be, and rows of a file count once, while the broker is killed, paused and restarted", async () => {
  const { kafka, settings, topics } = fixture;
  const limits = new TopicLimits();
  const producer = await new KafkaProducer(kafka, limits, { maxPendingBytes: 1e7, maxPendingRecords: 20_000 }, silent).open();
  const files = new KafkaFiles({
    kafka,
    follower: await fixture.follower(topics.files),
    settings,
    store: new MemoryStore(),
    codec: new JsonCodec(),
    events: { topic: topics.events, partitions: 3 },
    limits,
  });
  await files.open();
  let isOn = true;
  const appends = ["a", "b", "c"].map((name) => new Appends(producer, topics.changelog, name));
  const fileCodes = new Set<string>();
  let rows = 0;
  async function nextSlice(): Promise<void> {
    const events = Array.from({ length: 20 }, (_, i) => event(`u${i}`, `row:${rows + i}`));
    try {
      rows = (await files.take({ file: FILE, run: 1, after: rows, rows: 20, events, refused: [], done: false })).progress.rowsRead;
    } catch (error) {
      fileCodes.add((error as { code: string }).code);
      await sleep(100);
    }
  }
  const repeat = async (work: () => Promise<void>): Promise<void> => {
    while (isOn) await work();
  };
  const working = [...appends.map((one) => repeat(() => one.one())), repeat(nextSlice)];
  await sleep(1_500);
  await broker.kill();
  await broker.restart();
  await sleep(2_000);
  broker.pause();
  await sleep(2_500);
  broker.resume();
  await sleep(1_500);
  await broker.restart();
  const before = { rows, acknowledged: appends[0]?.acknowledged.size ?? 0 };
  for (
    const end = Date.now() + 20_000;
    Date.now() < end && (rows === before.rows || appends[0]?.acknowledged.size === before.acknowledged);
  )
    await sleep(100);
  isOn = false;
  await Promise.all(working);

  // It went on after the last fault, and what failed did so by its documented codes.
  expect(rows).toBeGreaterThan(before.rows);
  expect(appends[0]?.acknowledged.size).toBeGreaterThan(before.acknowledged);
  expect([...appends.flatMap(({ codes }) => [...codes]), ...fileCodes].filter((code) => code !== "BROKER_FAILED")).toEqual([]);
  const places = new Map<string, number[]>();
  for (const [partition, records] of await fixture.read(topics.changelog))
    for (const { key, offset } of records) {
      const name = `${partition}/${key}`;
      places.set(name, [...(places.get(name) ?? []), Number(offset) + 1]);
    }
  for (const { acknowledged } of appends)
    for (const [name, position] of acknowledged) {
      const found = places.get(name) ?? [];
      if (found.length !== 1 || (found[0] as number) > position) expect.fail(`${name} is at ${found.join(" and ")}, said was ${position}`);
    }
  const kept = (await fixture.all(topics.events)).map(({ value }) => Number(JSON.parse(String(value)).item.slice(4)));
  const committed = (await files.progress(FILE)).rowsRead;
  expect(kept.sort((a, b) => a - b)).toEqual(Array.from({ length: committed }, (_, n) => n));
  await files.close();
  await producer.close();
}, 180_000);
