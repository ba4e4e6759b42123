import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ItemId, UserId } from "../../schemas/ids.js";
import { Row } from "../../schemas/row.js";
import { ItemTable } from "../../state/item-table.js";
import { HashSum, RowHasher } from "../../state/state-hash.js";
import { UserRow } from "../../state/user-row.js";

function sample(items: ItemTable): UserRow {
  const row = Row.create({ generations: [], ringCapacity: 2 });
  row.erasureEpoch = 1;
  row.landmark = 20;
  row.updatedAt = 1e12;
  row.totalWeight = 3072;
  row.events = 2;
  row.f64[row.accumulatorsAt] = 5;
  row.f64[row.accumulatorsAt + 63] = -7;
  for (const [hi, lo] of [
    [9, 9],
    [1, 2],
    [0xffffffff, 4],
  ] as const)
    row.ringAdd(hi, lo);
  row.insertEntry(0, items.ordinal("b" as ItemId), 2048, 1e12);
  row.insertEntry(1, items.ordinal("a" as ItemId), -1024, 5e11);
  return new UserRow("ü" as UserId, row);
}

const hashOf = (user: UserRow, items: ItemTable): string => {
  const sum = new HashSum();
  const words = new Uint32Array(4);
  new RowHasher().hashInto(user, items, words, 0);
  sum.add(words, 0);
  return sum.toString();
};

describe("RowHasher", () => {
  it("gives the hash that another implementation of its definition gave", () => {
    // Python's hashlib and struct over the documented bytes.
    const items = new ItemTable();
    expect(hashOf(sample(items), items)).toBe("dd5852b8389a3b245cc4ca69c220b02f");
  });

  it("sees ids and not ordinals, positions or catalogues", () => {
    const items = new ItemTable();
    items.ordinal("another" as ItemId);
    items.ordinal("a" as ItemId);
    const user = sample(items);
    user.row.offset = 99;
    user.row.catalogue = 12;
    user.row.activation = 3;
    expect(hashOf(user, items)).toBe("dd5852b8389a3b245cc4ca69c220b02f");
  });
});

describe("HashSum", () => {
  it("adds mod 2^128, and takes away what was added", () => {
    const word = fc.integer({ min: 0, max: 0xffffffff });
    const hash = fc.array(word, { minLength: 4, maxLength: 4 });
    const big = (words: readonly number[]): bigint => words.reduce((sum, w) => (sum << 32n) | BigInt(w), 0n);
    fc.assert(
      fc.property(fc.array(hash, { maxLength: 10 }), fc.array(hash, { maxLength: 10 }), (kept, passing) => {
        const sum = new HashSum();
        for (const one of [...kept, ...passing]) sum.add(Uint32Array.from(one), 0);
        for (const one of passing) sum.subtract(Uint32Array.from([0, ...one]), 1);
        const expected = kept.reduce((total, one) => (total + big(one)) % (1n << 128n), 0n);
        expect(sum.toString()).toBe(expected.toString(16).padStart(32, "0"));
        expect(HashSum.parse(sum.toString()).toString()).toBe(sum.toString());
      }),
    );
  });

  it("refuses what is not a hash", () => {
    expect(() => HashSum.parse("xyz")).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
