import fc from "fast-check";
import { expect, it } from "vitest";
import { applyLinear, fitBlend, fitLinear, solveSymmetric } from "../../../models/provisional/least-squares.js";
import { SeededRandom } from "../../../models/seeded-random.js";

const number = fc.double({ min: -3, max: 3, noNaN: true });

it("solves what it was made of", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(number, { minLength: 4, maxLength: 4 }), { minLength: 4, maxLength: 4 }),
      fc.array(number, { minLength: 8, maxLength: 8 }),
      (b, x) => {
        // B^T B + 1 is symmetric and positive.
        const a = Float64Array.from({ length: 16 }, (_, at) => {
          const [i, j] = [Math.floor(at / 4), at % 4];
          return b.reduce((sum, row) => sum + row[i]! * row[j]!, i === j ? 1 : 0);
        });
        const right = Float64Array.from(x, (_, at) =>
          [0, 1, 2, 3].reduce((sum, k) => sum + a[(at % 4) * 4 + k]! * x[4 * Math.floor(at / 4) + k]!, 0),
        );
        for (const [at, value] of solveSymmetric(a, 4, right, 1e-12).entries()) expect(value).toBeCloseTo(x[at]!, 5);
      },
    ),
  );
});

it("has an answer, and a finite one, where there is nothing to go by", () => {
  expect([...solveSymmetric(new Float64Array(4), 2, Float64Array.of(0, 0), 0.01)]).toEqual([0, 0]);
  const one = fitLinear([Float64Array.of(1, 1)], [Float64Array.of(5)], 2, 0.01);
  expect([...applyLinear(one, Float64Array.of(9, 9))]).toEqual([0]);
});

it("finds a linear map again, from vectors that are not centred", () => {
  const random = new SeededRandom(5);
  const draw = () => random.next() / 2 ** 32;
  const xs = Array.from({ length: 200 }, () => Float64Array.of(10 + draw(), draw() - 4, draw()));
  const mean = [0, 1, 2].map((d) => xs.reduce((sum, x) => sum + x[d]! / 200, 0));
  const map = (x: ArrayLike<number>) => Float64Array.of(2 * (x[0]! - mean[0]!) - (x[2]! - mean[2]!), 3 * (x[1]! - mean[1]!));
  const fitted = fitLinear(xs, xs.map(map), 3, 1e-9);
  const found = applyLinear(fitted, Float64Array.of(11, -3, 2));
  for (const [d, value] of map([11, -3, 2]).entries()) expect(found[d]).toBeCloseTo(value, 4);
});

it("finds what each of several estimates is worth together", () => {
  const random = new SeededRandom(6);
  const draw = () => Float64Array.from({ length: 4 }, () => random.next() / 2 ** 32 - 0.5);
  const parts = Array.from({ length: 50 }, () => [draw(), draw()]);
  const wanted = parts.map(([a, b]) => a!.map((x, d) => 0.7 * x + 0.2 * b![d]!));
  const found = fitBlend(parts, wanted);
  expect(found[0]).toBeCloseTo(0.7, 3);
  expect(found[1]).toBeCloseTo(0.2, 3);
});
