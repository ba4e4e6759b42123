import { expect, it } from "vitest";
import { compare, holm } from "../../../models/evaluation/comparisons.js";

it("corrects as Holm does, in the order that was given", () => {
  // 4 x .005, 3 x .01, 2 x .03, and .04 not below the one before it.
  const adjusted = holm([0.01, 0.04, 0.03, 0.005]);
  for (const [i, value] of [0.03, 0.06, 0.06, 0.02].entries()) expect(adjusted[i]).toBeCloseTo(value, 12);
  expect(holm([0.9, 0.8])).toEqual([1, 1]);
  expect(holm([])).toEqual([]);
});

it("compares what both were asked, by task and metric", () => {
  const values = (x: number) => new Map([["recall@1", Float64Array.of(x, x)]]);
  const models = [
    { name: "base", tasks: { u2i: values(0), i2i: values(0) } },
    { name: "other", tasks: { u2i: values(0.5), u2u: values(1) } },
  ];
  const found = compare(models, { rounds: 10, seed: 1 });
  expect(found.map(({ model, base, task, metric, mean }) => [model, base, task, metric, mean])).toEqual([
    ["other", "base", "u2i", "recall@1", 0.5],
  ]);
  expect(compare([], { rounds: 10, seed: 1 })).toEqual([]);
});
