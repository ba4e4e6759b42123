import { afterEach, beforeEach, expect, it } from "vitest";
import { LiveRecall } from "../../../index/shards/live-recall.js";
import { EmbeddedEngine } from "../../../index/vector-engine/embedded-engine.js";
import { GENERATION } from "../vector-engine/conformance.js";
import { listeners, upTo } from "../vector-engine/listeners.js";

const town = listeners(32, 51);
let engine: EmbeddedEngine;
beforeEach(async () => {
  engine = EmbeddedEngine.create({ dims: 32, metric: "cosine", generation: GENERATION, scanRowsPerEf: 0 });
  engine.upsert({ ordinals: upTo(3000), vectors: town.rows(3000) });
  await swap();
});
afterEach(() => engine.close());

async function swap(): Promise<void> {
  await (await (await engine.stage(0)).verify({ samples: 16 })).publish(0);
}
/** Vectors as they are, written again. */
function rewrite(count: number): void {
  for (const ordinal of upTo(count)) engine.upsert({ ordinals: Uint32Array.of(ordinal), vectors: engine.vector(ordinal) as Float32Array });
}
const later = (ms: number): number => performance.now() + ms;

it("is due at first, then after its interval, or earlier when enough was written", async () => {
  const live = new LiveRecall(engine, { coreShare: 1e6 });
  expect(live.due()).toBe(true);
  expect(await live.measure()).toMatchObject({ queries: 64, walked: 64 });
  expect(live.due()).toBe(false);
  expect(live.due(later(30_000))).toBe(true);
  rewrite(149);
  expect(live.due()).toBe(false);
  rewrite(1);
  expect(live.due()).toBe(true);
});

it("is due when a graph was swapped in, of which nothing is known", async () => {
  rewrite(10);
  const live = new LiveRecall(engine, { coreShare: 1e6 });
  await live.measure();
  expect(live.due()).toBe(false);
  await swap();
  expect(live.due()).toBe(true);
});

it("takes no more than its share of one core, however much is written", async () => {
  const live = new LiveRecall(engine, { coreShare: 1e-4, intervalMs: 1 });
  await live.measure();
  rewrite(3000);
  const { cpuSeconds } = live;
  expect(cpuSeconds).toBeGreaterThan(0);
  expect(live.due(later(cpuSeconds * 1000 * 1e4 * 0.9))).toBe(false);
  expect(live.due(later(cpuSeconds * 1000 * 1e4))).toBe(true);
});

it("asks other users each time", async () => {
  const live = new LiveRecall(engine, { samples: 16, k: 50 });
  engine.ef = 50;
  const recalls = new Set<number | undefined>();
  for (let i = 0; i < 6; i++) recalls.add((await live.measure())?.recall);
  expect(recalls.size).toBeGreaterThan(1);
});

it("never measures where the interval is 0", () => {
  expect(new LiveRecall(engine, { intervalMs: 0 }).due(later(1e9))).toBe(false);
});
