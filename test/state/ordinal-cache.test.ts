import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OrdinalCache } from "../../state/ordinal-cache.js";

describe("OrdinalCache", () => {
  it("gives every ordinal its own vector, in bounded memory, whoever shares its slot", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2000), { maxLength: 200 }), (ordinals) => {
        const cache = new OrdinalCache<Int16Array>(
          (n) => new Int16Array(n),
          2,
          4 * 128,
          (ordinal, values, at) => {
            values.set([ordinal, -ordinal], at);
            return ordinal % 5 !== 0;
          },
        );
        for (const ordinal of ordinals) {
          const at = cache.at(ordinal);
          if (ordinal % 5 === 0) expect(at).toBe(-1);
          else expect([...cache.values.subarray(at, at + 2)]).toEqual([ordinal, -ordinal]);
        }
        expect(cache.values.length).toBeLessThanOrEqual(2 * 128);
      }),
    );
  });

  it("fills a vector once while nobody else needs its slot", () => {
    let filled = 0;
    const cache = new OrdinalCache<Int8Array>(
      (n) => new Int8Array(n),
      1,
      1024,
      () => {
        filled += 1;
        return true;
      },
    );
    for (let round = 0; round < 3; round++) for (let ordinal = 0; ordinal < 1024; ordinal++) cache.at(ordinal);
    expect(filled).toBe(1024);
  });
});
