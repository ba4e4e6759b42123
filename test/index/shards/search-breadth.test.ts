import { afterEach, expect, it } from "vitest";
import type { EfRule } from "../../../index/shards/ef-tuner.js";
import { SearchBreadth } from "../../../index/shards/search-breadth.js";
import { EmbeddedEngine } from "../../../index/vector-engine/embedded-engine.js";
import type { NativeMeasuredRecall } from "../../../native/vector-index.js";
import { GENERATION } from "../vector-engine/conformance.js";
import { listeners, upTo } from "../vector-engine/listeners.js";

const town = listeners(32, 61);
const opened: EmbeddedEngine[] = [];
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.close();
});

function filled(ef: number, shards = 1): EmbeddedEngine {
  const engine = EmbeddedEngine.create({ dims: 32, metric: "cosine", generation: GENERATION, shards, ef, scanRowsPerEf: 0 });
  opened.push(engine);
  engine.upsert({ ordinals: upTo(4000), vectors: town.rows(4000) });
  return engine;
}
const rule: EfRule = { least: 8, most: 2000, target: 0.95, k: 50 };
/** Thin enough that ef 50 is not enough. */
const THIN = { m: 5, efConstruction: 20 };
const GOOD = { m: 16, efConstruction: 100 };
const measured = (recall: number): NativeMeasuredRecall => ({ recall, standardError: 0.004, queries: 64, walked: 64, cpuSeconds: 0 });

it("publishes no graph narrower than it needs", async () => {
  const engine = filled(50);
  const breadth = new SearchBreadth(engine, rule);
  const good = await breadth.verify(await engine.stage(0, THIN));
  expect(engine.ef).toBe(50);
  expect(good.shard.recall).toBeGreaterThanOrEqual(0.95);
  await breadth.publish(good, 0.9);
  expect(engine.ef).toBe(good.ef);
  expect(good.ef).toBeGreaterThan(50);
  expect((await engine.measureRecall(200, 50))?.recall).toBeGreaterThanOrEqual(0.95);
});

it("leaves ef as it was where the graph is refused", async () => {
  const engine = filled(50);
  const breadth = new SearchBreadth(engine, rule);
  const good = await breadth.verify(await engine.stage(0, THIN));
  await expect(breadth.publish(good, 1)).rejects.toMatchObject({ code: "SHARD_UNVERIFIED" });
  expect([engine.ef, breadth.growth]).toEqual([50, 1]);
});

it("goes back to what the last graph needed when a new one is in, and tells how far ef had grown", async () => {
  const engine = filled(100);
  const breadth = new SearchBreadth(engine, rule);
  await breadth.publish(await breadth.verify(await engine.stage(0, GOOD)), 0.9);
  expect([engine.ef, breadth.growth]).toEqual([100, 1]);
  breadth.tune(measured(0.9));
  expect([engine.ef, breadth.growth]).toEqual([200, 2]);
  await breadth.publish(await breadth.verify(await engine.stage(0, GOOD)), 0.9);
  expect([engine.ef, breadth.growth]).toEqual([100, 1]);
});

it("leaves ef as wide as graphs of other shards need it", async () => {
  const engine = filled(100, 2);
  const breadth = new SearchBreadth(engine, rule);
  for (const shard of [0, 1]) await breadth.publish(await breadth.verify(await engine.stage(shard, GOOD)), 0.9);
  breadth.tune(measured(0.9));
  await breadth.publish(await breadth.verify(await engine.stage(0, GOOD)), 0.9);
  expect([engine.ef, breadth.growth]).toEqual([200, 2]);
});

it("measures growth from the lowest that was enough since", () => {
  const engine = filled(100);
  const breadth = new SearchBreadth(engine, rule);
  for (let i = 0; i < 3; i++) breadth.tune(measured(0.999));
  expect([engine.ef, breadth.growth]).toEqual([90, 1]);
  breadth.tune(measured(0.9));
  expect([engine.ef, breadth.growth]).toEqual([180, 2]);
});

it("moves nothing without a rule or where it is fixed, and says whether there is room", async () => {
  const engine = filled(100);
  const still = new SearchBreadth(engine, undefined);
  still.tune(measured(0.1));
  await still.publish(await still.verify(await engine.stage(0, THIN), { ef: 60 }), 0);
  expect([engine.ef, still.hasRoom]).toEqual([100, false]);
  expect(new SearchBreadth(engine, rule).hasRoom).toBe(true);
  const fixed = new SearchBreadth(engine, { ...rule, least: 70, most: 70 });
  fixed.tune(measured(0.1));
  expect([engine.ef, fixed.hasRoom]).toEqual([70, false]);
});
