import { expect, it } from "vitest";
import { popularity, usersToItems } from "../../../models/evaluation/ranker.js";
import { shareRows } from "../../../models/evaluation/shared-rows.js";
import { aucOf, userAuc } from "../../../models/evaluation/user-auc.js";
import { SeededRandom } from "../../../models/seeded-random.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemModel } from "../../../schemas/model.js";
import { historiesOf, madeUp } from "./made-up-split.js";

it("aucOf is the share of pairs that are in order, ties a half", () => {
  const random = new SeededRandom(2);
  const draw = (n: number): Float64Array => Float64Array.from({ length: n }, () => random.below(6));
  for (let i = 0; i < 20; i++) {
    const [high, low] = [draw(1 + random.below(20)), draw(1 + random.below(20))];
    const pairs = [...high].flatMap((a) => Array.from(low, (b) => (a > b ? 1 : a === b ? 0.5 : 0)));
    expect(aucOf(high, low)).toBeCloseTo(pairs.reduce((sum: number, x) => sum + x, 0) / pairs.length, 12);
  }
  expect(aucOf(Float64Array.of(), Float64Array.of(1))).toBeNaN();
});

/** Item i lies at i on a line: whoever has something likes the higher numbers. */
const line = (count: number): ItemModel => {
  const items = Array.from({ length: count }, (_, i) => `i${i}` as ItemId);
  const input = { dims: 1, values: new Float32Array(count).fill(1) };
  return { kind: "line", items, input, output: { dims: 1, values: Float32Array.from(items, (_, i) => i + 1) }, score: "dot" };
};

it("is the share of other items below those that a user went on to, as far as 200 draws tell", () => {
  const train = historiesOf({ u: ["i0"], v: Array.from({ length: 100 }, (_, i) => `i${i}`) });
  const model = line(100);
  const aucOfTest = (item: string): number => {
    const shared = shareRows(train, historiesOf({ u: [item] }), [model]);
    return userAuc(usersToItems(model, shared), shared, { seed: 1 }).get("auc")![0]!;
  };
  expect(aucOfTest("i99")).toBe(1);
  expect(aucOfTest("i1")).toBe(0);
  // 48 of the 98 others are below; standard error .036.
  expect(Math.abs(aucOfTest("i49") - 48 / 98)).toBeLessThan(0.15);
});

it("agrees with all scores, user by user, where few items leave little to draw", () => {
  const random = new SeededRandom(11);
  const made = madeUp(() => random.next() / 2 ** 32, { users: 200, items: 30 });
  const shared = shareRows(historiesOf(made.train), historiesOf(made.test), [made.model]);
  const { candidates, pool } = usersToItems(made.model, shared);
  const found = userAuc({ candidates, pool }, shared, { seed: 3 }).get("auc")!;
  const [user, item] = [new Float64Array(5), new Float64Array(5)];
  let [difference, count] = [0, 0];
  for (const [q, tested] of shared.tested.entries()) {
    const own = new Set([...shared.histories[tested]!, ...shared.wanted[q]!]);
    const known = pool(shared.histories[tested]!, user, 0);
    const scores = new Map(
      [...candidates.rows.entries()].map(([place, row]) => {
        candidates.fill(place, item, 0);
        return [row, user.reduce((sum, x, d) => sum + x * item[d]!, 0)] as const;
      }),
    );
    const of = (rows: readonly number[]): Float64Array => Float64Array.from(rows, (row) => scores.get(row) ?? Number.NEGATIVE_INFINITY);
    const others = [...Array(shared.known).keys()].filter((row) => !own.has(row));
    const exact = known ? aucOf(of([...shared.wanted[q]!]), of(others)) : 0.5;
    difference += found[q]! - exact;
    count++;
  }
  // Errors of the draws are about .03 a user, and cancel out.
  expect(Math.abs(difference / count)).toBeLessThan(0.01);
});

it("puts what has no vector last, gives a half to who has none, and leaves out who asks for nothing new", () => {
  const half: ItemModel = { ...line(2), items: ["a", "b"] as ItemId[], output: { dims: 1, values: Float32Array.of(0, 1) } };
  const train = historiesOf({ knows: ["b"], stranger: ["z"], again: ["b"], rest: ["c", "d"] });
  const shared = shareRows(train, historiesOf({ knows: ["a"], stranger: ["a"], again: ["b"] }), [half]);
  // Neither a nor z, c and d have an output vector: ties.
  expect([...userAuc(usersToItems(half, shared), shared, { seed: 1 }).get("auc")!]).toEqual([0.5, 0.5, Number.NaN]);
  expect(userAuc(popularity(shared), shared, { seed: 1 }).get("auc")![0]).toBeLessThan(0.5);
});
