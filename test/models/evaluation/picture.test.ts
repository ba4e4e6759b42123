import { expect, it } from "vitest";
import { pictureOf, projected } from "../../../models/evaluation/picture.js";
import { SeededRandom } from "../../../models/seeded-random.js";
import type { ItemId } from "../../../schemas/ids.js";
import { historiesOf } from "./made-up-split.js";

const ROWS = 400;
const rows = Uint32Array.from({ length: ROWS }, (_, i) => i);

/** Unit-length to within little: 1 in dimension 0, a spread of .2 in dimension 3, .1 in 5, .01 elsewhere. */
function cloud(): Float32Array {
  const random = new SeededRandom(3);
  const spread = [0, 0.01, 0.01, 0.2, 0.01, 0.1, 0.01, 0.01];
  return Float32Array.from({ length: ROWS * 8 }, (_, at) => (at % 8 === 0 ? 1 : 0) + spread[at % 8]! * (random.next() / 2 ** 31 - 1));
}

const correlation = (a: readonly number[], b: readonly number[]): number => {
  const mean = (of: readonly number[]): number => of.reduce((sum, x) => sum + x, 0) / of.length;
  const [ma, mb] = [mean(a), mean(b)];
  const product = (x: readonly number[], mx: number, y: readonly number[], my: number): number =>
    x.reduce((sum, _, i) => sum + (x[i]! - mx) * (y[i]! - my), 0);
  return product(a, ma, b, mb) / Math.sqrt(product(a, ma, a, ma) * product(b, mb, b, mb));
};

it("finds the two dimensions in which rows differ most, and puts the middle at 0", () => {
  const values = cloud();
  const places = projected({ dims: 8, values }, rows, 1);
  const axis = (which: 0 | 1): number[] => Array.from(rows, (i) => places[2 * i + which]!);
  const dimension = (d: number): number[] => Array.from(rows, (i) => values[8 * i + d]!);
  expect(correlation(axis(0), dimension(3))).toBeGreaterThan(0.99);
  expect(correlation(axis(1), dimension(5))).toBeGreaterThan(0.99);
  expect(Math.abs(correlation(axis(0), axis(1)))).toBeLessThan(0.01);
  expect(axis(0).reduce((sum, x) => sum + x, 0)).toBeCloseTo(0, 9);
  // Another start of the iteration, the same picture.
  for (const [at, x] of projected({ dims: 8, values }, rows, 99).entries()) expect(x).toBeCloseTo(places[at]!, 4);
});

it("draws what has no second direction, no direction at all, or no rows, without NaN", () => {
  const line = projected({ dims: 2, values: Float32Array.of(1, 0, -1, 0, 1, 0) }, Uint32Array.of(0, 1, 2), 1);
  expect(line[0]).toBeCloseTo(2 / 3, 9);
  expect(line[2]).toBeCloseTo(-4 / 3, 9);
  expect([line[1], line[3], line[5]]).toEqual([0, 0, 0]);
  expect([...projected({ dims: 2, values: new Float32Array(4) }, Uint32Array.of(0, 1), 1)]).toEqual([0, 0, 0, 0]);
  expect(projected({ dims: 2, values: new Float32Array(4) }, new Uint32Array(0), 1)).toHaveLength(0);
});

it("draws the items of train that have a vector, each with the colour of its popularity", () => {
  const train = historiesOf({ ann: ["a", "b"], bob: ["a", "c"], eve: ["a", "zero"], dan: ["missing"] });
  const items = ["c", "a", "zero", "b", "extra"] as ItemId[];
  const output = { dims: 2, values: Float32Array.of(1, 0, 0, 1, 0, 0, -1, 0, 5, 5) };
  const model = { kind: "k", items, input: output, output, score: "dot" as const };
  const { points } = pictureOf({ name: "m", model }, train, { titleOf: (item) => (item === "a" ? "Alpha" : undefined) });
  expect(points.map(({ title, segment }) => [title, segment])).toEqual([
    ["Alpha", "head"],
    ["b", "middle"],
    ["c", "middle"],
  ]);
  // b and c lie opposite each other.
  expect(points[1]!.x).toBeCloseTo(-points[2]!.x, 9);
  expect(Math.abs(points[1]!.x)).toBeCloseTo(1, 9);
});
