import { expect, it } from "vitest";
import { exposureOf } from "../../../models/evaluation/exposure.js";

it("measures how evenly lists fall on the items", () => {
  expect(exposureOf(Uint32Array.of(3, 3, 3, 3))).toEqual({ coverage: 1, gini: 0 });
  expect(exposureOf(Uint32Array.of(0, 8, 0, 0))).toEqual({ coverage: 0.25, gini: 0.75 });
  expect(exposureOf(Uint32Array.of(0, 0)).gini).toBeNaN();
});

it("is half the relative mean difference of all pairs", () => {
  const counts = [4, 1, 3, 2, 0, 11];
  const mean = counts.reduce((a, b) => a + b) / counts.length;
  const pairs = counts.flatMap((a) => counts.map((b) => Math.abs(a - b)));
  const relative = pairs.reduce((a, b) => a + b) / pairs.length / mean;
  expect(exposureOf(Uint32Array.from(counts)).gini).toBeCloseTo(relative / 2, 12);
});
