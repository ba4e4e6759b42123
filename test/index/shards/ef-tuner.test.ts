import * as fc from "fast-check";
import { expect, it } from "vitest";
import { type EfRule, type EfState, nextEf } from "../../../index/shards/ef-tuner.js";
import type { NativeMeasuredRecall } from "../../../native/vector-index.js";
import { randomOf } from "../vector-engine/listeners.js";

const rule: EfRule = { least: 64, most: 1000, target: 0.95, k: 50 };
const of = (recall: number, more: Partial<NativeMeasuredRecall> = {}): NativeMeasuredRecall => ({
  ...{ recall, standardError: 0.006, queries: 64, walked: 64, cpuSeconds: 0.1 },
  ...more,
});
const from = (ef: number, calm = 0): EfState => ({ ef, calm });
const next = (ef: number, recall: number, more: Partial<EfRule> = {}): number => nextEf(from(ef), of(recall), { ...rule, ...more }).ef;
/** The states of one measurement after the other. */
function run(begin: number, measurements: number, recallAt: (ef: number, i: number) => NativeMeasuredRecall | undefined): number[] {
  let state = from(begin);
  return Array.from({ length: measurements }, (_, i) => {
    state = nextEf(state, recallAt(state.ef, i), rule);
    return state.ef;
  });
}

it("goes up at once below the target, by what is missing", () => {
  expect(next(128, 0.945)).toBe(160);
  expect(next(128, 0.925)).toBe(192);
  expect(next(128, 0.5)).toBe(256);
});

it("goes up carefully where the target can't be told from what was measured", () => {
  expect(next(128, 0.955)).toBe(141);
  expect(nextEf(from(128), of(0.955, { standardError: 0.002 }), rule).ef).toBe(128);
});

it("stays where recall is good, and not so good that less would do", () => {
  for (const recall of [0.962, 0.97, 0.975]) expect(run(128, 50, () => of(recall)).at(-1)).toBe(128);
});

it("comes down slowly, after three measurements with recall to spare", () => {
  expect(run(200, 6, () => of(0.995))).toEqual([200, 200, 180, 180, 180, 162]);
  expect(run(200, 4, (_, i) => of(i === 1 ? 0.97 : 0.995))).toEqual([200, 200, 200, 200]);
  expect(run(200, 100, () => of(1, { standardError: 0 })).at(-1)).toBe(64);
});

it("keeps within its limits, and is fixed where they are equal", () => {
  expect(next(900, 0.5)).toBe(1000);
  expect(next(1000, 0.5)).toBe(1000);
  expect(next(20, 0.97)).toBe(64);
  for (const recall of [0.1, 0.97, 1]) expect(next(128, recall, { least: 300, most: 300 })).toBe(300);
});

it("learns nothing from nobody asked, nor from exact scans, and keeps its calm", () => {
  expect(nextEf(from(128, 2), undefined, rule)).toEqual(from(128, 2));
  expect(nextEf(from(128, 2), of(1, { walked: 0 }), rule)).toEqual(from(128, 2));
});

it("goes up, but not down, where only some were answered by a graph", () => {
  expect(nextEf(from(128, 2), of(0.9, { walked: 40 }), rule)).toEqual({ ef: 256, calm: 0 });
  expect(nextEf(from(128, 2), of(1, { walked: 40 }), rule)).toEqual(from(128, 2));
});

it("counts from k where searches are as wide as k already, and goes no lower", () => {
  expect(next(10, 0.9, { least: 1, k: 100 })).toBe(200);
  expect(next(10, 0.97, { least: 1, k: 100 })).toBe(10);
  const low = { ...rule, least: 1, k: 100 };
  let state = from(120);
  for (let i = 0; i < 50; i++) state = nextEf(state, of(0.999), low);
  expect(state.ef).toBe(100);
  expect(nextEf(from(40), of(0.5), { ...rule, least: 1, most: 60, k: 100 }).ef).toBe(60);
});

/** Searches of a graph where misses fall as a power of ef, measured on 64 queries: with the error that such a sample has. */
function measuring(seed: number, missesAt100: number, power: number): (ef: number) => NativeMeasuredRecall {
  const random = randomOf(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return (ef) => {
    const misses = Math.min(missesAt100 * (Math.max(ef, 50) / 100) ** -power, 0.9);
    const standardError = Math.sqrt(misses) * 0.03;
    return of(Math.min(1, Math.max(0, 1 - misses + standardError * normal())), { standardError });
  };
}
const trueRecall = (ef: number, missesAt100: number, power: number): number => 1 - missesAt100 * (Math.max(ef, 50) / 100) ** -power;

it("finds an ef that holds the target, whatever the graph, and stays near it", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.double({ min: 0.01, max: 0.2, noNaN: true }),
      fc.double({ min: 0.9, max: 1.8, noNaN: true }),
      fc.integer({ min: 64, max: 1000 }),
      (seed, misses, power, begin) => {
        const efs = run(begin, 200, measuring(seed, misses, power)).slice(100);
        expect(Math.min(...efs.map((ef) => trueRecall(ef, misses, power)))).toBeGreaterThanOrEqual(rule.target);
        expect(Math.max(...efs)).toBeLessThanOrEqual(Math.max(64, 2 * Math.min(...efs)));
        const turns = efs.filter((ef, i) => i > 1 && (ef - (efs[i - 1] as number)) * ((efs[i - 1] as number) - (efs[i - 2] as number)) < 0);
        expect(turns.length).toBeLessThanOrEqual(2);
      },
    ),
    { numRuns: 200 },
  );
});

it("is back above the target after three measurements when a graph grew old all at once", () => {
  const [young, old] = [measuring(1, 0.03, 1), measuring(2, 0.12, 1)];
  const efs = run(100, 103, (ef, i) => (i < 100 ? young(ef) : old(ef)));
  expect(trueRecall(efs.at(-1) as number, 0.12, 1)).toBeGreaterThanOrEqual(rule.target);
});
