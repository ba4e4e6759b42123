import { expect, it } from "vitest";
import { type Candidates, type Queries, rankAll } from "../../../models/evaluation/rank-all.js";
import { SeededRandom } from "../../../models/seeded-random.js";

/** Small integers: products are exact whatever the order, and ties are many. */
const table = (random: SeededRandom, rows: number, dims: number): number[][] =>
  Array.from({ length: rows }, () => Array.from({ length: dims }, () => random.below(5) - 2));
const writeTo = (vector: readonly number[], target: Float64Array, at: number): void => target.set(vector, at);

interface Sizes {
  readonly queries: number;
  readonly candidates: number;
  readonly dims: number;
  readonly k: number;
}

function drawn({ queries, candidates, dims }: Sizes, seed: number) {
  const random = new SeededRandom(seed);
  const users = table(random, queries, dims);
  const items = table(random, candidates, dims);
  const rows = Uint32Array.from({ length: candidates }, (_, i) => 3 * i + 1);
  const masks = users.map(() => Uint32Array.from(rows.filter(() => random.below(4) === 0)));
  return { users, items, rows, masks };
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, d) => sum + x * b[d]!, 0);

// Sizes around the batch of 256 queries and the block of 128 candidates, odd ones for the padding.
it.each<Sizes>([
  { queries: 1, candidates: 1, dims: 1, k: 3 },
  { queries: 5, candidates: 129, dims: 3, k: 10 },
  { queries: 259, candidates: 300, dims: 7, k: 20 },
  { queries: 256, candidates: 128, dims: 8, k: 200 },
])("gives the lists of a full sort: %o", async (sizes) => {
  const { users, items, rows, masks } = drawn(sizes, 7);
  const unknown = (query: number): boolean => query % 11 === 3;
  const queries: Queries = {
    count: users.length,
    fill: (q, target, at) => {
      if (!unknown(q)) writeTo(users[q]!, target, at);
      return !unknown(q);
    },
    masked: (q) => masks[q]!,
  };
  const candidates: Candidates = { dims: sizes.dims, rows, fill: (place, target, at) => writeTo(items[place]!, target, at) };
  const found: number[][] = [];
  await rankAll(queries, candidates, { k: sizes.k }, (q, list, count) => {
    found[q] = [...list.subarray(0, count)];
  });
  const expected = users.map((user, q) => {
    if (unknown(q)) return [];
    const open = [...rows.entries()].filter(([, row]) => !masks[q]!.includes(row));
    const scored = open.map(([place, row]) => ({ row, score: dot(user, items[place]!) }));
    return scored
      .sort((a, b) => b.score - a.score || a.row - b.row)
      .slice(0, sizes.k)
      .map(({ row }) => row);
  });
  expect(found).toEqual(expected);
});

it("ends with the signal's reason, and says how far it is", async () => {
  const stop = new AbortController();
  const progress: number[] = [];
  const none = new Uint32Array(0);
  const queries: Queries = { count: 600, fill: () => true, masked: () => none };
  const candidates: Candidates = { dims: 1, rows: Uint32Array.of(0), fill: () => {} };
  const onProgress = (done: number): void => {
    progress.push(done);
    if (done >= 512) stop.abort(new Error("enough"));
  };
  await expect(rankAll(queries, candidates, { k: 1, signal: stop.signal, onProgress }, () => {})).rejects.toThrow("enough");
  expect(progress).toEqual([256, 512]);
});
