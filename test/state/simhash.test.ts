import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addKeyword, fingerprintOf, formatFingerprint, keywordHash } from "../../state/simhash.js";

const hex = ({ hi, lo }: { hi: number; lo: number }): string => formatFingerprint(hi, lo);

describe("keywordHash", () => {
  it("is the first 8 bytes of SHA-256 of kind NUL label, as another implementation has them", () => {
    expect(hex(keywordHash("tags", "jazz"))).toBe("40f8788b0f3f8b3a");
    expect(hex(keywordHash("items", "song:42"))).toBe("85207ae4d1fbdfc7");
    expect(hex(keywordHash("creators", "Björk"))).toBe("82832e09a443b7cc");
  });
});

describe("fingerprintOf", () => {
  const add = (f64: Float64Array, label: string, weight: number): void => {
    const { hi, lo } = keywordHash("tags", label);
    addKeyword(f64, 0, hi, lo, weight);
  };

  it("gives the known fingerprint of three weighted keywords", () => {
    const accumulators = new Float64Array(64);
    add(accumulators, "jazz", 3);
    add(accumulators, "blues", -1);
    add(accumulators, "rock", 2);
    expect([...accumulators.subarray(0, 8)]).toEqual([-6, 6, -6, 4, 2, 2, -6, -6]);
    expect(hex(fingerprintOf(accumulators, 0))).toBe("003858020e2a8b3a");
  });

  it("of one keyword is its hash, of its negative the complement, of both nothing", () => {
    const accumulators = new Float64Array(64);
    add(accumulators, "jazz", 5);
    expect(fingerprintOf(accumulators, 0)).toEqual({ has: true, ...keywordHash("tags", "jazz") });
    add(accumulators, "jazz", -10);
    const { hi, lo } = keywordHash("tags", "jazz");
    expect(fingerprintOf(accumulators, 0)).toEqual({ has: true, hi: ~hi >>> 0, lo: ~lo >>> 0 });
    add(accumulators, "jazz", 5);
    expect(fingerprintOf(accumulators, 0)).toEqual({ has: false, hi: 0, lo: 0 });
  });

  it("forgets what was added and taken away, in any order", () => {
    const some = fc.array(fc.tuple(fc.string(), fc.integer({ min: -(2 ** 27), max: 2 ** 27 })), { maxLength: 20 });
    fc.assert(
      fc.property(some, some, (kept, passing) => {
        const direct = new Float64Array(64);
        for (const [label, weight] of kept) add(direct, label, weight);
        const detour = new Float64Array(64);
        for (const [label, weight] of passing) add(detour, label, weight);
        for (const [label, weight] of [...kept].reverse()) add(detour, label, weight);
        for (const [label, weight] of passing) add(detour, label, -weight);
        expect(detour).toEqual(direct);
      }),
    );
  });
});
