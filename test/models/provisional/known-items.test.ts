import { expect, it } from "vitest";
import { knownItems, knownUsers, meanListener, targetsOf } from "../../../models/provisional/known-items.js";
import { SeededRandom } from "../../../models/seeded-random.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemModel } from "../../../schemas/model.js";
import { historiesOf } from "../evaluation/made-up-split.js";

const model: ItemModel = {
  kind: "k",
  items: ["a", "b", "c", "none"] as ItemId[],
  input: { dims: 2, values: Float32Array.of(1, 0, 0, 1, 4, 4, 0, 0) },
  output: { dims: 2, values: Float32Array.of(2, 2, 4, 0, 6, 4, 1, 1) },
  score: "dot",
};
const users = knownUsers(model, historiesOf({ ann: ["a", "b", "unheard of"], bob: ["c", "a", "none"], eve: ["a"], dan: ["b", "c"] }));

it("pools an item's listeners as they are without it, and passes over who has nothing else", () => {
  // Ann has b, Bob c; Eve has nothing else, and what has no input vector counts for nothing.
  const slant = 4 / Math.sqrt(32);
  const rounded = (vector: Float64Array): number[] => Array.from(vector, (x) => Math.round(x * 1e9) / 1e9);
  expect(rounded(meanListener(users, model, 0, 2, new SeededRandom(1))!)).toEqual(rounded(Float64Array.of(slant / 2, (1 + slant) / 2)));
  expect(meanListener(users, model, 0, 3, new SeededRandom(1))).toBeUndefined();
  const drawn = new Set(Array.from({ length: 20 }, (_, seed) => String(meanListener(users, model, 0, 1, new SeededRandom(seed)))));
  expect(drawn).toEqual(new Set(["0,1", String([slant, slant])]));
});

it("takes outputs and inputs less their means, of items that have both", () => {
  const { rows, mean } = targetsOf(model);
  expect(rows).toEqual([0, 1, 2]);
  expect([...mean].map((x) => Math.round(x * 1e6) / 1e6)).toEqual([4, 2, 1.666667, 1.666667]);
  const info = { item: "b" as ItemId, type: "song" };
  const items = knownItems(model, rows, mean, new Map([[info.item, info]]), 1);
  expect(items.map(({ item, info, target }) => [item, info?.type, target[0], target[1]])).toEqual([
    ["a", undefined, -2, 0],
    ["b", "song", 0, -2],
    ["c", undefined, 2, 2],
  ]);
});
