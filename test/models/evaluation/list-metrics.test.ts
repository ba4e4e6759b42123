import { expect, it } from "vitest";
import { ListMetrics, meanOf } from "../../../models/evaluation/list-metrics.js";
import { SEGMENTS } from "../../../models/evaluation/segments.js";
import { SeededRandom, sampleOf } from "../../../models/seeded-random.js";

const valuesOf = (metrics: ListMetrics, query = 0): Record<string, number> =>
  Object.fromEntries([...metrics.values].map(([name, values]) => [name, values[query]!]));

it("gives the values worked out by hand", () => {
  const metrics = new ListMetrics([2, 4], 1);
  // Wanted 3, 8, 9; found at ranks 1 and 4.
  metrics.add(0, Uint32Array.of(8, 1, 2, 3), 4, Uint32Array.of(3, 8, 9));
  const ideal2 = 1 + 1 / Math.log2(3);
  const ideal4 = ideal2 + 1 / 2;
  const expected = {
    "recall@2": 1 / 3,
    "precision@2": 1 / 2,
    "hit@2": 1,
    "mrr@2": 1,
    "ndcg@2": 1 / ideal2,
    "recall@4": 2 / 3,
    "precision@4": 1 / 2,
    "hit@4": 1,
    "mrr@4": 1,
    "ndcg@4": (1 + 1 / Math.log2(5)) / ideal4,
  };
  const found = valuesOf(metrics);
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, value] of Object.entries(expected)) expect(found[name], name).toBeCloseTo(value, 12);
});

it("counts a list that is shorter than k as k places", () => {
  const metrics = new ListMetrics([5], 1);
  metrics.add(0, Uint32Array.of(7, 0, 0, 0, 0), 1, Uint32Array.of(7));
  expect(valuesOf(metrics)).toEqual({ "recall@5": 1, "precision@5": 0.2, "ndcg@5": 1, "hit@5": 1, "mrr@5": 1 });
  // What lies behind the list's end is no item of it.
  metrics.add(0, Uint32Array.of(7, 0, 0, 0, 0), 1, Uint32Array.of(0));
  expect(valuesOf(metrics)).toEqual({ "recall@5": 0, "precision@5": 0, "ndcg@5": 0, "hit@5": 0, "mrr@5": 0 });
});

it("takes a segment's recall over what is wanted of it, and leaves out who wants nothing of it", () => {
  const metrics = new ListMetrics([3], 2, { names: SEGMENTS, segmentOf: Uint8Array.of(0, 0, 1, 2, 2) });
  metrics.add(0, Uint32Array.of(0, 3, 1), 3, Uint32Array.of(0, 3, 4));
  metrics.add(1, Uint32Array.of(2, 3, 4), 3, Uint32Array.of(1));
  expect(valuesOf(metrics)).toMatchObject({ "recall@3/head": 1, "recall@3/middle": Number.NaN, "recall@3/tail": 0.5 });
  expect(valuesOf(metrics, 1)).toMatchObject({ "recall@3/head": 0, "recall@3/middle": Number.NaN, "recall@3/tail": Number.NaN });
  expect(meanOf(metrics.values.get("recall@3/head")!)).toBe(0.5);
  expect(meanOf(metrics.values.get("recall@3/tail")!)).toBe(0.5);
  expect(meanOf(metrics.values.get("recall@3/middle")!)).toBeNaN();
});

/** Another way round: over the wanted items, each looked up in the list; the ideal by sorting gains. */
function naive(list: readonly number[], wanted: readonly number[], k: number): Record<string, number> {
  const ranks = wanted.map((item) => list.slice(0, k).indexOf(item)).filter((rank) => rank >= 0);
  const gains = list.slice(0, k).map((item) => (wanted.includes(item) ? 1 : 0));
  const dcg = (of: readonly number[]): number => of.reduce((sum, gain, i) => sum + (2 ** gain - 1) / (Math.log(i + 2) / Math.log(2)), 0);
  const ideal = wanted.map(() => 1).slice(0, k);
  return {
    [`recall@${k}`]: ranks.length / wanted.length,
    [`precision@${k}`]: ranks.length / k,
    [`ndcg@${k}`]: dcg(gains) / dcg(ideal),
    [`hit@${k}`]: ranks.length === 0 ? 0 : 1,
    [`mrr@${k}`]: ranks.length === 0 ? 0 : 1 / (1 + Math.min(...ranks)),
  };
}

it("agrees with a naive oracle on random lists, whatever order the ks are given in", () => {
  const random = new SeededRandom(3);
  const metrics = new ListMetrics([10, 1, 5], 200);
  for (let query = 0; query < 200; query++) {
    const wanted = sampleOf(30, 1 + random.below(12), query);
    const pool = Array.from({ length: 30 }, (_, i) => i);
    for (let i = 29; i > 0; i--) {
      const j = random.below(i + 1);
      [pool[i], pool[j]] = [pool[j]!, pool[i]!];
    }
    const list = pool.slice(0, random.below(11));
    metrics.add(
      query,
      Uint32Array.from({ length: 10 }, (_, i) => list[i] ?? 99),
      list.length,
      wanted,
    );
    const expected = Object.assign({}, ...[1, 5, 10].map((k) => naive(list, [...wanted], k))) as Record<string, number>;
    const found = valuesOf(metrics, query);
    for (const [name, value] of Object.entries(expected)) expect(found[name], `${name} of query ${query}`).toBeCloseTo(value, 12);
  }
});
