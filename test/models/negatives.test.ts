import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { negativeTables, typeOfId } from "../../models/negatives.js";
import type { ItemId } from "../../schemas/ids.js";

const ids = (...names: string[]): ItemId[] => names as ItemId[];

describe("negativeTables", () => {
  it("weighs by popularity to the power of the exponent, nobody's items not at all", () => {
    const items = ids("a", "b", "c");
    const popularity = Uint32Array.of(4, 100, 0);
    expect([...negativeTables(items, popularity, 0.5, 1, typeOfId).weights]).toEqual([2, 10, 0]);
    expect([...negativeTables(items, popularity, 0, 1, typeOfId).weights]).toEqual([1, 1, 0]);
    expect([...negativeTables(items, popularity, -1, 1, typeOfId).weights]).toEqual([0.25, Math.fround(0.01), 0]);
  });

  it("cuts each type so that strata have about the same interactions", () => {
    const items = ids("song:1", "pod:1", "song:2", "song:3", "pod:2", "song:4", "plain");
    const { strata } = negativeTables(items, Uint32Array.of(10, 8, 1, 5, 8, 4, 3), 1, 2, typeOfId);
    // Songs: 10 | 5 4 1; podcasts: 8 | 8; the one without a type alone.
    expect([...strata]).toEqual([0, 2, 1, 1, 3, 1, 4]);
  });

  it("keeps types apart and numbers strata densely, the popular ones of a type first", () => {
    const item = fc.record({ type: fc.constantFrom("a", "b", ""), count: fc.nat(1000) });
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (all, count) => {
        const items = all.map(({ type }, i) => (type === "" ? `${i}` : `${type}:${i}`) as ItemId);
        const { strata } = negativeTables(
          items,
          Uint32Array.from(all, (one) => one.count),
          1,
          count,
          typeOfId,
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

  it("takes an id's type from before its first colon", () => {
    expect(ids("song:1", "a:b:c", "plain", ":x").map(typeOfId)).toEqual(["song", "a", "", ""]);
  });
});
