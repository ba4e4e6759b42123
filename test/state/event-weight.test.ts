import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventWeights, log2Fixed, MAX_ENTRY_WEIGHT } from "../../state/event-weight.js";

describe("log2Fixed", () => {
  it("is exact at powers of two and within one in the last place elsewhere", () => {
    for (const exponent of [0, 1, 2, 9, 52, 1023]) expect(log2Fixed(2 ** exponent)).toBe(1024 * exponent);
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e300, noNaN: true }), (x) => {
        const error = log2Fixed(x) - 1024 * Math.log2(x);
        expect(error).toBeGreaterThan(-1.01);
        expect(error).toBeLessThan(0.01);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("EventWeights", () => {
  const weights = new EventWeights({
    actions: { play: 1024, skip: -512, gift: 64 * 1024 },
    values: { play: { unit: 30, maxScale: 4 }, skip: { unit: 1, maxScale: 2.5 }, gift: { unit: 1e-9, maxScale: 64 } },
  });

  it("scales an action's weight by the log of its value, up to the cap", () => {
    expect([
      weights.of("play", undefined),
      weights.of("play", 0),
      weights.of("play", 30),
      weights.of("play", 90),
      weights.of("play", 1e9),
      weights.of("play", Number.MAX_VALUE),
    ]).toEqual([1024, 1024, 2048, 3072, 4096, 4096]);
    expect([weights.of("skip", 1), weights.of("skip", 1000)]).toEqual([-1024, -1280]);
  });

  it("is nothing for an action without a weight, also one named as an object's own parts are", () => {
    expect([weights.of("hum", 3), weights.of("constructor", 3), weights.of("__proto__", 3)]).toEqual([0, 0, 0]);
  });

  it("never leaves its bounds", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Math.abs(weights.of("gift", value))).toBeLessThanOrEqual(MAX_ENTRY_WEIGHT);
      }),
    );
  });
});
