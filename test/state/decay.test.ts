import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WEIGHT_ONE } from "../../schemas/catalogue.js";
import { MAX_ITEM_LABELS } from "../../schemas/item.js";
import { MAX_PROFILE_ITEMS } from "../../schemas/row.js";
import { DECAY_ONE, Decay } from "../../state/decay.js";
import { MAX_ENTRY_WEIGHT } from "../../state/event-weight.js";
import { DAY } from "./fold-fixture.js";

const HALF_IN_90_DAYS_BY_7 = 4069550266;

describe("Decay", () => {
  it("has the table that exact integers give", () => {
    // Python's integers: p = p * factor >> 32 from 2^64, the table p >> 42.
    const { table } = new Decay(7 * DAY, HALF_IN_90_DAYS_BY_7);
    expect([...table.subarray(0, 21)]).toEqual([
      4194304, 3974170, 3765589, 3567956, 3380696, 3203263, 3035143, 2875847, 2724911, 2581896, 2446388, 2317992, 2196334, 2081062, 1971840,
      1868350, 1770291, 1677379, 1589344, 1505928, 1426891,
    ]);
    expect(table.at(-1)).toBe(0);
    expect(table.every((value, k) => k === 0 || value <= (table[k - 1] as number))).toBe(true);
  });

  it("halves a weight in a half-life, cuts towards zero, and lets nothing live forever", () => {
    const decay = new Decay(DAY, 2 ** 31);
    expect([
      decay.weightAfter(1024, 1),
      decay.weightAfter(-1025, 1),
      decay.weightAfter(3, 2),
      decay.weightAfter(2 ** 27, 5000),
      decay.weightAfter(7, 0),
    ]).toEqual([512, -512, 0, 0, 7]);
  });

  it("does nothing with a factor of one", () => {
    expect(new Decay(DAY, 2 ** 32).weightAfter(-12345, 1e6)).toBe(-12345);
  });

  it("is the exact product cut towards zero, for every weight up to the clamp", () => {
    const { table } = new Decay(7 * DAY, HALF_IN_90_DAYS_BY_7);
    const decay = new Decay(7 * DAY, HALF_IN_90_DAYS_BY_7);
    fc.assert(
      fc.property(fc.integer({ min: -MAX_ENTRY_WEIGHT, max: MAX_ENTRY_WEIGHT }), fc.nat(500), (weight, steps) => {
        const factor = BigInt(table[Math.min(steps, table.length - 1)] as number);
        expect(BigInt(decay.weightAfter(weight, steps))).toBe((BigInt(weight) * factor) / BigInt(DECAY_ONE));
      }),
    );
  });
});

describe("what a row holds at the extreme settings", () => {
  const EXACT = 2n ** 53n;
  const items = BigInt(MAX_PROFILE_ITEMS);
  const weight = BigInt(MAX_ENTRY_WEIGHT);

  it("stays an exact integer: decay products, pooled sums, keyword totals, accumulators", () => {
    expect(weight * BigInt(DECAY_ONE)).toBeLessThan(EXACT);
    const component = 32767n;
    // A change adds (after - before), at most twice the clamp, before the sum is back in its bounds.
    expect(items * weight * component + 2n * weight * component).toBeLessThan(EXACT);
    const kindWeight = 64n * BigInt(WEIGHT_ONE);
    expect(weight * kindWeight).toBeLessThan(EXACT);
    const shared = (weight * kindWeight) / BigInt(WEIGHT_ONE);
    const keywordsOfAnItem = 2n * BigInt(MAX_ITEM_LABELS) + 1n;
    expect((items + 2n) * keywordsOfAnItem * shared).toBeLessThan(EXACT);
    expect((items + 2n) * weight).toBeLessThan(EXACT);
  });
});
