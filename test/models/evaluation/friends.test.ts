import { expect, it } from "vitest";
import { friendFigures } from "../../../models/evaluation/friends.js";
import { shareRows } from "../../../models/evaluation/shared-rows.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemModel } from "../../../schemas/model.js";
import { historiesOf } from "./made-up-split.js";

/** Ten circles of four users who have one item of their own, all friends within. */
const circles = Object.fromEntries(Array.from({ length: 40 }, (_, u) => [`u${u}`, [`i${Math.floor(u / 4)}`, "all"]]));
const shared = shareRows(historiesOf(circles), historiesOf({ u0: ["i1"] }), []);
const friendships = Array.from({ length: 40 }, (_, u) => [`u${u}`, `u${4 * Math.floor(u / 4) + ((u + 1) % 4)}`] as const);
const modelOf = (row: (item: number) => number[]): ItemModel => {
  const items = Array.from({ length: 10 }, (_, i) => `i${i}` as ItemId);
  const rows = items.map((_, i) => row(i));
  const matrix = { dims: rows[0]!.length, values: Float32Array.from(rows.flat()) };
  return { kind: "circles", items, input: matrix, output: matrix, score: "dot" };
};

it("finds friends where vectors say who they are, each pair counted once", async () => {
  const telling = modelOf((i) => Array.from({ length: 10 }, (_, d) => (d === i ? 1 : 0)));
  const both = [...friendships, ...friendships.map(([a, b]) => [b, a] as const), ["u1", "u1"] as const, ["u1", "nobody"] as const];
  const { auc, pairs, values } = await friendFigures(telling, shared, both, { k: 3, seed: 1 });
  expect(pairs).toBe(40);
  // A stranger may be the one of the circle who is no friend: a tie.
  expect(auc).toBeGreaterThan(0.95);
  expect([...values.get("recall@3")!]).toEqual(new Array(40).fill(1));
  // Four equals in a ring: a list of two has the two of lowest number, so u1 finds both friends, the others one of two.
  const two = (await friendFigures(telling, shared, both, { k: 2, seed: 1 })).values.get("recall@2")!;
  expect([...two.slice(0, 4)]).toEqual([0.5, 1, 0.5, 0.5]);
});

it("draws no friends as strangers", async () => {
  const telling = modelOf((i) => Array.from({ length: 10 }, (_, d) => (d === i ? 1 : 0)));
  // Everybody of a circle knows all of it: a stranger always scores below.
  const all = Array.from({ length: 1600 }, (_, at) => [Math.floor(at / 40), at % 40] as const)
    .filter(([u, v]) => Math.floor(u / 4) === Math.floor(v / 4))
    .map(([u, v]) => [`u${u}`, `u${v}`] as const);
  const { auc, pairs } = await friendFigures(telling, shared, all, { k: 3, seed: 1 });
  expect({ auc, pairs }).toEqual({ auc: 1, pairs: 60 });
});

it("is a coin toss where all vectors are equal", async () => {
  const { auc } = await friendFigures(
    modelOf(() => [1, 1]),
    shared,
    friendships,
    { k: 3, seed: 1 },
  );
  expect(auc).toBe(0.5);
});

it("has no figures without friends", async () => {
  const { auc, pairs, values } = await friendFigures(
    modelOf(() => [1]),
    shared,
    [["x", "y"]],
    { k: 3, seed: 1 },
  );
  expect({ auc, pairs, users: values.get("recall@3")!.length }).toEqual({ auc: Number.NaN, pairs: 0, users: 0 });
});
