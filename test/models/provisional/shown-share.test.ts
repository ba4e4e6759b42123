import { expect, it } from "vitest";
import { knownUsers } from "../../../models/provisional/known-items.js";
import { gainFor, readersOf } from "../../../models/provisional/shown-share.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemModel } from "../../../schemas/model.js";
import { historiesOf } from "../evaluation/made-up-split.js";

it("knows what an item must exceed to be in a user's list of twenty, own items aside", () => {
  const items = Array.from({ length: 30 }, (_, i) => `i${i}` as ItemId);
  const one = { dims: 1, values: new Float32Array(30).fill(1) };
  const model: ItemModel = {
    kind: "k",
    items,
    input: one,
    output: { dims: 1, values: Float32Array.from(items, (_, i) => i + 1) },
    score: "dot",
  };
  const readers = readersOf(model, knownUsers(model, historiesOf({ u: ["i29", "i28"], v: ["i0"], stranger: ["x"] })), 1);
  // Of 1 to 28 the twentieth is 9; of 2 to 30 it is 11.
  expect(readers.map(({ pooled, least }) => [pooled[0], least])).toEqual([
    [1, 9],
    [1, 11],
  ]);
});

it("draws deviations out just as far as the share needs", () => {
  const readers = Array.from({ length: 100 }, (_, r) => ({ pooled: Float64Array.of(1), least: r + 1 }));
  const gain = gainFor(readers, Float64Array.of(0), [Float64Array.of(10)], 0.25, 1);
  // A score of 25 is in the lists of those who ask for less.
  expect(gain * 10).toBeGreaterThanOrEqual(25);
  expect(gain * 10).toBeLessThan(26.1);
  expect(gainFor(readers, Float64Array.of(0), [Float64Array.of(-1)], 0.25, 1)).toBeCloseTo(8, 3);
});
