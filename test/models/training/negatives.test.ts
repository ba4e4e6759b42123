import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { negativeTables } from "../../../models/training/negatives.js";

describe("negativeTables", () => {
  it("weighs by popularity to the power of the exponent, nobody's items not at all", () => {
    const types = ["", "", ""];
    const popularity = Uint32Array.of(4, 100, 0);
    expect([...negativeTables(types, popularity, 0.5, 1).weights]).toEqual([2, 10, 0]);
    expect([...negativeTables(types, popularity, 0, 1).weights]).toEqual([1, 1, 0]);
    expect([...negativeTables(types, popularity, -1, 1).weights]).toEqual([0.25, Math.fround(0.01), 0]);
  });

  it("cuts each type so that strata have about the same interactions", () => {
    const types = ["song", "pod", "song", "song", "pod", "song", ""];
    const { strata } = negativeTables(types, Uint32Array.of(10, 8, 1, 5, 8, 4, 3), 1, 2);
    // Songs: 10 | 5 4 1; podcasts: 8 | 8; the one without a type alone.
    expect([...strata]).toEqual([0, 2, 1, 1, 3, 1, 4]);
  });

  it("keeps types apart and numbers strata densely, the popular ones of a type first", () => {
    const item = fc.record({ type: fc.constantFrom("a", "b", ""), count: fc.nat(1000) });
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (all, count) => {
        const { strata } = negativeTables(
          all.map(({ type }) => type),
          Uint32Array.from(all, (one) => one.count),
          1,
          count,
        );
        const numbers = [...new Set(strata)].sort((a, b) => a - b);
        expect(numbers).toEqual(numbers.map((_, i) => i));
        for (const [i, one] of all.entries())
          for (const [j, other] of all.entries()) {
            if (one.type !== other.type) expect(strata[i]).not.toBe(strata[j]);
            else if (one.count > other.count) expect(strata[i]).toBeLessThanOrEqual(strata[j]!);
          }
        for (const type of new Set(all.map((one) => one.type)))
          expect(new Set(all.flatMap((one, i) => (one.type === type ? [strata[i]] : []))).size).toBeLessThanOrEqual(count);
      }),
    );
  });
});
