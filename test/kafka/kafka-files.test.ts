import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FileSlice } from "../../schemas/ports/file-intake.js";
import { KafkaFiles } from "../../streams/kafka/kafka-files.js";
import { TopicLimits } from "../../streams/kafka/out-records.js";
import { MemoryStore } from "../harness/memory-store.js";
import { GatedKafka } from "./gated-kafka.js";
import { event, JsonCodec, KafkaFixture } from "./kafka-fixture.js";

const hashOf = (name: string): string => createHash("sha256").update(name).digest("hex");

/** Rows `after` to `after + rows` of a file; each seventh is refused. */
function slice(name: string, after: number, rows: number, more: Partial<FileSlice> = {}): FileSlice {
  const numbers = Array.from({ length: rows }, (_, i) => after + i);
  const refusedRow = (n: number): boolean => n % 7 === 6;
  return {
    file: hashOf(name),
    run: 1,
    after,
    rows,
    events: numbers.filter((n) => !refusedRow(n)).map((n) => event(`user-${n % 5}`, `${name}:${n}`)),
    refused: numbers.filter(refusedRow).map((n) => ({
      code: "FILE_LINE" as const,
      message: "bad",
      origin: `file ${hashOf(name).slice(0, 8)} line ${n + 1}`,
      original: `line ${n}`,
    })),
    done: false,
    ...more,
  };
}

describe("rows of files on the events topic", () => {
  const fixture = new KafkaFixture();
  const nodes: KafkaFiles[] = [];
  beforeAll(() => fixture.open());
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.close()));
    await fixture.close();
  });

  async function node(kafka = fixture.kafka): Promise<KafkaFiles> {
    const { topics, settings } = fixture;
    const made = new KafkaFiles({
      kafka,
      follower: await fixture.follower(topics.files),
      settings,
      store: new MemoryStore(),
      codec: new JsonCodec(),
      events: { topic: topics.events, partitions: 3 },
      limits: new TopicLimits(),
    });
    nodes.push(made);
    await made.open();
    return made;
  }

  /** Rows of a file among the events, ascending. */
  async function rowsOf(name: string): Promise<number[]> {
    const items = (await fixture.all(fixture.topics.events)).map(({ value }) => (JSON.parse(String(value)) as { item: string }).item);
    return items
      .filter((item) => item.startsWith(`${name}:`))
      .map((item) => Number(item.split(":")[1]))
      .sort((a, b) => a - b);
  }
  const good = (rows: number): number[] => Array.from({ length: rows }, (_, n) => n).filter((n) => n % 7 !== 6);

  it("are taken once each, however often they are sent and wherever; refused lines become dead letters with them", async () => {
    const here = await node();
    const there = await node();
    expect(await here.progress(hashOf("a"))).toEqual({ rowsRead: 0, events: 0, rejected: 0, done: false, run: 0 });
    expect(await here.take(slice("a", 0, 10))).toMatchObject({ taken: true, progress: { rowsRead: 10, events: 9, rejected: 1, run: 1 } });
    expect(await here.take(slice("a", 0, 10))).toMatchObject({ taken: false, progress: { rowsRead: 10 } });
    expect(await here.take(slice("a", 11, 10))).toMatchObject({ taken: false });
    // Another node goes on, and the first has lost the file until it takes it again.
    expect(await there.take(slice("a", 10, 10))).toMatchObject({ taken: true, progress: { rowsRead: 20 } });
    await expect(here.take(slice("a", 10, 10))).rejects.toMatchObject({ code: "OWNERSHIP_LOST", canRetry: true });
    expect(await here.take(slice("a", 10, 10))).toMatchObject({ taken: false, progress: { rowsRead: 20 } });
    const last = await here.take(slice("a", 20, 5, { done: true }));
    expect(last).toMatchObject({ taken: true, progress: { rowsRead: 25, events: 22, rejected: 3, done: true } });
    expect(await rowsOf("a")).toEqual(good(25));
    const letters = await fixture.all(fixture.topics.deadLetters);
    expect(letters.map(({ value }) => String(value))).toEqual(["line 6", "line 13", "line 20"]);
    // The position covers all rows, also those that the other node took.
    const kept = await fixture.read(fixture.topics.events);
    for (const [partition, records] of kept)
      expect(last.position.get(partition as never) ?? 0).toBeGreaterThanOrEqual(
        Math.max(0, ...records.map(({ offset }) => Number(offset) + 1)),
      );
  });

  it("are taken again where a finished file is asked for once more", async () => {
    const files = await node();
    await files.take(slice("b", 0, 5, { done: true }));
    expect(await files.take(slice("b", 0, 5, { done: true }))).toMatchObject({ taken: false, progress: { done: true, run: 1 } });
    expect(await files.take(slice("b", 0, 5, { run: 2, done: true }))).toMatchObject({ taken: true, progress: { run: 2, events: 5 } });
    expect(await rowsOf("b")).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
  });

  it("of many files at once go in, with slices sent twice and at once", async () => {
    const files = await node();
    const names = Array.from({ length: 12 }, (_, i) => `many${i}`);
    const taken = await Promise.all(
      names.flatMap((name) => [slice(name, 0, 6), slice(name, 0, 6), slice(name, 6, 6)].map((part) => files.take(part))),
    );
    expect(taken.filter((one) => one.taken)).toHaveLength(24);
    for (const name of names.slice(0, 3)) expect(await rowsOf(name)).toEqual(good(12));
  });

  it("count once where the way to the brokers is cut at any moment and they are sent until they are known to be taken", async () => {
    const way = new GatedKafka(fixture.settings);
    const files = await node(way.kafka);
    const size = 40;
    for (let cut = 0; cut < 6; cut++) {
      setTimeout(() => (cut % 2 ? way.close() : way.loseAnswers()), cut * 6);
      setTimeout(() => way.open(), 350);
      for (let tries = 0; ; tries++) {
        expect(tries).toBeLessThan(20);
        try {
          const { progress } = await files.take(slice("cut", cut * size, size));
          if (progress.rowsRead === (cut + 1) * size) break;
        } catch (error) {
          expect((error as { canRetry: boolean }).canRetry).toBe(true);
        }
      }
    }
    expect(await rowsOf("cut")).toEqual(good(6 * size));
  });
});
