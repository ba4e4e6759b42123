import { describe, expect, it } from "vitest";
import { rankAll } from "../../../models/evaluation/rank-all.js";
import { itemsToItems, popularity, type Ranker, usersToItems } from "../../../models/evaluation/ranker.js";
import { type SharedRows, shareRows } from "../../../models/evaluation/shared-rows.js";
import { SeededRandom } from "../../../models/seeded-random.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemModel } from "../../../schemas/model.js";
import { historiesOf, madeUp } from "./made-up-split.js";

const model = (rows: Record<string, [input: number[], output: number[]]>, score: "dot" | "cosine" = "dot"): ItemModel => {
  const dims = Object.values(rows)[0]![0].length;
  const table = (side: 0 | 1) => ({ dims, values: Float32Array.from(Object.values(rows).flatMap((of) => of[side])) });
  return { kind: "test", items: Object.keys(rows) as ItemId[], input: table(0), output: table(1), score };
};

/** Lists of item names for every user of train. */
async function listsOf(ranker: Ranker, shared: SharedRows, k = 99): Promise<string[][]> {
  const { histories, items } = shared;
  const lists: string[][] = [];
  const queries = {
    count: histories.length,
    fill: (q: number, target: Float64Array, at: number) => ranker.pool(histories[q]!, target, at),
    masked: (q: number) => histories[q]!,
  };
  await rankAll(queries, ranker.candidates, { k }, (q, rows, count) => {
    lists[q] = Array.from(rows.subarray(0, count), (row) => items[row]!);
  });
  return lists;
}

const train = historiesOf({ ann: ["a", "b"], bob: ["b"], eve: ["gone"] });
const test = historiesOf({ ann: ["c"], bob: ["d"], eve: ["a"] });

describe("usersToItems", () => {
  it("pools inputs, scores outputs, and masks what the user has", async () => {
    const two = model({
      d: [
        [0, 9],
        [0, 1],
      ],
      c: [
        [0, 9],
        [1, 0],
      ],
      b: [
        [0, 2],
        [5, 5],
      ],
      a: [
        [3, 0],
        [4, 4],
      ],
      x: [
        [1, 1],
        [0.5, 0.9],
      ],
    });
    const shared = shareRows(train, test, [two]);
    // Ann pools (1.5, 1): c 1.5, x 1.65, d 1. Bob pools (0, 2): b is his, a 8, d 2, x 1.8, c 0.
    expect(await listsOf(usersToItems(two, shared), shared)).toEqual([["x", "c", "d"], ["a", "d", "x", "c"], []]);
  });

  it("takes rows of zeros for no vector: neither pooled nor found", async () => {
    const zeros = model({
      a: [
        [0, 0],
        [1, 1],
      ],
      b: [
        [1, 1],
        [0, 0],
      ],
      c: [
        [1, 0],
        [0, 0],
      ],
      d: [
        [1, 0],
        [-1, 0],
      ],
    });
    const shared = shareRows(train, test, [zeros]);
    expect(await listsOf(usersToItems(zeros, shared), shared)).toEqual([["d"], ["a", "d"], []]);
  });

  it("ranks by angle where the model says cosine", async () => {
    const rows: Record<string, [number[], number[]]> = {
      a: [
        [1, 0],
        [1, 0],
      ],
      b: [
        [1, 0],
        [1, 0],
      ],
      c: [
        [1, 0],
        [9, 9],
      ],
      d: [
        [1, 0],
        [1, 0.1],
      ],
    };
    const [dot, cosine] = [model(rows), model(rows, "cosine")];
    const shared = shareRows(train, test, [dot, cosine]);
    expect((await listsOf(usersToItems(dot, shared), shared))[0]).toEqual(["c", "d"]);
    expect((await listsOf(usersToItems(cosine, shared), shared))[0]).toEqual(["d", "c"]);
  });

  it.each(["dot", "cosine"] as const)("gives the lists of a naive ranking, ties by row: %s", async (score) => {
    const random = new SeededRandom(9);
    const made = madeUp(() => random.next() / 2 ** 32, { score });
    const shared = shareRows(historiesOf(made.train), historiesOf(made.test), [made.model]);
    const { items, input, output } = made.model;
    const row = (matrix: typeof input, item: string): number[] => {
      const at = items.indexOf(item as ItemId) * matrix.dims;
      return [...matrix.values.subarray(at, at + matrix.dims)];
    };
    const dot = (a: number[], b: number[]): number => a.reduce((sum, x, d) => sum + x * b[d]!, 0);
    const expected = Object.values(made.train).map((history) => {
      const pool = input.values.slice(0, input.dims).map((_, d) => history.reduce((sum, item) => sum + row(input, item)[d]!, 0));
      const scoreOf = (item: string): number => {
        const vector = row(output, item);
        const by = score === "dot" ? 1 : Math.sqrt(dot(vector, vector));
        // Rounded, so that what is equal but for the last bits ties as it does in whole numbers.
        return Math.round((dot([...pool], vector) / by) * 1e9);
      };
      if (pool.every((x) => x === 0)) return [];
      const open = shared.items.filter((item) => !history.includes(item) && row(output, item).some((x) => x !== 0));
      return open.map((item) => ({ item, at: scoreOf(item) })).sort((a, b) => b.at - a.at);
    });
    const found = await listsOf(usersToItems(made.model, shared), shared, 10);
    for (const [user, list] of found.entries()) {
      const scores = new Map(expected[user]!.map(({ item, at }) => [item, at]));
      expect(list.map((item) => scores.get(item as ItemId))).toEqual(expected[user]!.slice(0, 10).map(({ at }) => at));
      if (score === "dot") expect(list).toEqual(expected[user]!.slice(0, 10).map(({ item }) => item));
    }
  });

  it.each([
    ["NaN", { input: { dims: 1, values: Float32Array.of(Number.NaN) } }],
    ["another size", { output: { dims: 1, values: new Float32Array(2) } }],
    ["other dimensions", { output: { dims: 2, values: new Float32Array(2) } }],
    ["no dimensions", { input: { dims: 0, values: new Float32Array(0) }, output: { dims: 0, values: new Float32Array(0) } }],
    ["an item twice", { items: ["a", "a"] as ItemId[], input: { dims: 1, values: new Float32Array(2) } }],
  ])("refuses a model with %s", (_, wrong) => {
    const broken = { ...model({ a: [[1], [1]] }), ...wrong };
    expect(() => usersToItems(broken, shareRows(train, test, [broken]))).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

it("itemsToItems goes by the angle of the input vectors", async () => {
  const two = model({
    a: [
      [1, 0],
      [0, 1],
    ],
    b: [
      [0, 5],
      [0, 1],
    ],
    c: [
      [10, 1],
      [0, 1],
    ],
    d: [
      [0.1, 0.1],
      [0, 1],
    ],
  });
  const shared = shareRows(train, test, [two]);
  const ranker = itemsToItems(two, shared);
  const seed = { ...shared, histories: [Uint32Array.of(shared.rowOf("a" as ItemId)!)] };
  expect(await listsOf(ranker, seed)).toEqual([["c", "d", "b"]]);
});

it("popularity is the same for all but for what they have, ties by row, without what nobody had", async () => {
  const shared = shareRows(historiesOf({ ann: ["a", "b"], bob: ["b", "c"], eve: ["c", "b"], dan: ["d"] }), historiesOf({ dan: ["z"] }), []);
  expect(await listsOf(popularity(shared), shared)).toEqual([
    ["c", "d"],
    ["a", "d"],
    ["a", "d"],
    ["b", "c", "a"],
  ]);
});
