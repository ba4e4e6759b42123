import { expect, it } from "vitest";
import { LabelMeans } from "../../../models/provisional/label-means.js";

const vector = (...values: number[]): Float64Array => Float64Array.from(values);

it("is the mean of a label's items, without what an item itself gave", () => {
  const means = new LabelMeans(2);
  means.add(["rock", "rock"], vector(1, 0));
  means.add(["rock"], vector(3, 2));
  means.add([], vector(9, 9));
  expect([...means.of(["rock"])!]).toEqual([2, 1]);
  expect([...means.of(["rock", "rock"], vector(1, 0))!]).toEqual([3, 2]);
});

it("says nothing of labels that nobody has, or nobody else", () => {
  const means = new LabelMeans(1);
  means.add(["solo"], vector(4));
  expect(means.of([])).toBeUndefined();
  expect(means.of(["unheard of", "__proto__"])).toBeUndefined();
  expect(means.of(["solo"], vector(4))).toBeUndefined();
  expect([...means.of(["solo"])!]).toEqual([4]);
});

it("goes by the rare label more than by the common one, and less by what few items say", () => {
  const means = new LabelMeans(1);
  for (let i = 0; i < 90; i++) means.add(["common"], vector(0));
  for (let i = 0; i < 10; i++) means.add(["rare"], vector(1));
  const [both] = means.of(["common", "rare"])!;
  expect(both).toBeGreaterThan(0.7);
  expect(both).toBeLessThan(1);
  means.add(["once"], vector(-1));
  const [surer] = means.of(["rare", "once"])!;
  // log(1 + 101 / 1) / 4 against log(1 + 101 / 10) * 10 / 13.
  const [once, rare] = [Math.log(102) / 4, (Math.log(1 + 101 / 10) * 10) / 13];
  expect(surer).toBeCloseTo((rare - once) / (rare + once), 9);
});
