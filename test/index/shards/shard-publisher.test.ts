import { afterEach, beforeEach, expect, it } from "vitest";
import { ShardPublisher, type Swap, type Tuned } from "../../../index/shards/shard-publisher.js";
import { EmbeddedEngine } from "../../../index/vector-engine/embedded-engine.js";
import { GENERATION } from "../vector-engine/conformance.js";
import { listeners, upTo } from "../vector-engine/listeners.js";

const town = listeners(32, 41);
let engine: EmbeddedEngine;
beforeEach(() => {
  engine = EmbeddedEngine.create({ dims: 32, metric: "cosine", generation: GENERATION, shards: 2, scanRowsPerEf: 0 });
});
afterEach(() => engine.close());

const limits = { minRows: 500, freshShare: 0.1 };
const settings = { limits, restRatio: 0, retryMs: 0, verify: { samples: 32 } };

it("does nothing where nothing is due", async () => {
  const publisher = new ShardPublisher(engine, settings);
  engine.upsert({ ordinals: upTo(100), vectors: town.rows(100) });
  await publisher.check();
  expect(publisher.stats()).toEqual({
    swaps: 0,
    failures: 0,
    lastSwap: undefined,
    liveRecall: undefined,
    ef: 128,
    measureCpuSeconds: 0,
    building: false,
  });
});

it("builds, verifies and swaps what is due, one shard at a time", async () => {
  const swaps: Swap[] = [];
  const publisher = new ShardPublisher(engine, { ...settings, onSwap: (swap) => swaps.push(swap) });
  engine.upsert({ ordinals: upTo(3000), vectors: town.rows(3000) });
  await Promise.all([publisher.check(), publisher.check()]);
  expect(swaps.length).toBe(1);
  await publisher.check();
  await publisher.check();
  expect(swaps.map(({ shard }) => shard).sort()).toEqual([0, 1]);
  expect(swaps.every(({ reason, recall, nodes, seconds }) => reason === "first" && recall >= 0.9 && nodes > 1000 && seconds > 0)).toBe(
    true,
  );
  engine.upsert({ ordinals: upTo(2400, 3000), vectors: town.rows(2400) });
  await publisher.check();
  expect(swaps[2]?.reason).toBe("fresh");
  expect(publisher.stats()).toMatchObject({ swaps: 3, failures: 0, lastSwap: swaps[2] });
});

it("goes on with the old graph when the next is not good enough, and says so", async () => {
  const errors: unknown[] = [];
  engine.upsert({ ordinals: upTo(3000), vectors: town.rows(3000) });
  const publisher = new ShardPublisher(engine, {
    ...settings,
    minRecall: 1,
    build: { m: 2, efConstruction: 8 },
    verify: { samples: 64, k: 50, ef: 50 },
    onError: (error) => errors.push(error),
  });
  await publisher.check();
  await expect(publisher.rebuild(1)).rejects.toMatchObject({ code: "SHARD_UNVERIFIED" });
  expect(errors).toEqual([expect.objectContaining({ code: "SHARD_UNVERIFIED" }), expect.objectContaining({ code: "SHARD_UNVERIFIED" })]);
  expect(publisher.stats()).toMatchObject({ swaps: 0, failures: 2, building: false });
  expect((await engine.search(town.listener(), { k: 10 })).ordinals.length).toBe(10);
  await new ShardPublisher(engine, settings).rebuild(0);
  expect(engine.stats().swaps).toBe(1);
});

it("builds with more care after a graph was not good enough, until it is", async () => {
  engine.upsert({ ordinals: upTo(4000), vectors: town.rows(4000) });
  const recalls: number[] = [];
  const once = await (await engine.stage(0, { m: 8, efConstruction: 8 })).verify({ samples: 200, k: 50, ef: 50 });
  once.discard();
  const minRecall = (1 + once.recall) / 2;
  const publisher = new ShardPublisher(engine, {
    ...settings,
    minRecall,
    build: { m: 8, efConstruction: 8 },
    verify: { samples: 200, k: 50, ef: 50 },
    onSwap: ({ recall }) => recalls.push(recall),
  });
  for (let i = 0; i < 8 && recalls.length === 0; i++) await publisher.check();
  expect(recalls[0]).toBeGreaterThanOrEqual(minRecall);
  expect(publisher.stats().failures).toBeGreaterThan(0);
});

it("rests after a failure", async () => {
  engine.upsert({ ordinals: upTo(3000), vectors: town.rows(3000) });
  const publisher = new ShardPublisher(engine, {
    ...settings,
    retryMs: 60_000,
    minRecall: 1,
    build: { m: 2, efConstruction: 8 },
    verify: { samples: 64, k: 50, ef: 50 },
  });
  await publisher.check();
  await publisher.check();
  expect(publisher.stats().failures).toBe(1);
});

it("measures live recall, and rebuilds by it", async () => {
  const publisher = new ShardPublisher(engine, { ...settings, limits: { ...limits, targetRecall: 1.01 } });
  expect(await publisher.measure()).toBeUndefined();
  engine.upsert({ ordinals: upTo(2000), vectors: town.rows(2000) });
  await publisher.rebuild(0);
  await publisher.rebuild(1);
  engine.upsert({
    ordinals: upTo(1000),
    vectors: Float32Array.from({ length: 1000 * 32 }, (_, i) => (engine.vector(Math.floor(i / 32)) as Float32Array)[i % 32] as number),
  });
  expect(await publisher.measure()).toBeGreaterThan(0.95);
  await publisher.check();
  expect(publisher.stats()).toMatchObject({ swaps: 3, lastSwap: { reason: "recall" } });
});

it("moves ef first when live recall falls, rebuilds when ef had to grow by half, and then searches as before", async () => {
  const narrow = EmbeddedEngine.create({ dims: 32, metric: "cosine", generation: GENERATION, ef: 50, scanRowsPerEf: 0 });
  const tuned: Tuned[] = [];
  const publisher = new ShardPublisher(narrow, {
    ...settings,
    limits: { ...limits, targetRecall: 0.97 },
    build: { m: 4, efConstruction: 10 },
    verify: { samples: 32, ef: 50 },
    ...{ minRecall: 0, efLimits: { least: 50, most: 1000 }, onTuned: (move) => tuned.push(move) },
  });
  narrow.upsert({ ordinals: upTo(2000), vectors: town.rows(2000) });
  await publisher.rebuild(0);
  for (const ordinal of upTo(400)) narrow.upsert({ ordinals: Uint32Array.of(ordinal), vectors: narrow.vector(ordinal) as Float32Array });
  await publisher.check();
  expect(publisher.stats()).toMatchObject({ swaps: 1, ef: 50, liveRecall: undefined });
  expect(await publisher.measure()).toBeLessThan(0.955);
  expect(tuned).toEqual([{ from: 50, to: publisher.stats().ef, recall: publisher.stats().liveRecall }]);
  expect(publisher.stats().ef).toBeGreaterThanOrEqual(75);
  expect(publisher.stats().measureCpuSeconds).toBeGreaterThan(0);
  await publisher.check();
  expect(publisher.stats()).toMatchObject({ swaps: 2, ef: 50, lastSwap: { reason: "ef", ef: 50 } });
  await narrow.close();
});

it("swaps by itself while searches and upserts go on, none of which fails", async () => {
  const publisher = new ShardPublisher(engine, { ...settings, checkIntervalMs: 5, live: { intervalMs: 20 } });
  publisher.start();
  for (let i = 0; i < 60 || publisher.stats().swaps < 2; i++) {
    engine.upsert({ ordinals: upTo(100, (i % 60) * 100), vectors: town.rows(100) });
    const query = town.listener();
    const [walked, exact] = await Promise.all([engine.search(query, { k: 10, ef: 400 }), engine.searchExact(query, { k: 10 })]);
    expect(walked.ordinals.length).toBe(10);
    expect([...walked.ordinals].filter((ordinal) => exact.ordinals.includes(ordinal)).length).toBeGreaterThanOrEqual(8);
  }
  publisher.stop();
  await engine.close();
  await publisher.settled();
  expect(publisher.stats()).toMatchObject({ failures: 0, building: false });
});
