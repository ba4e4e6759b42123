import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rowOfId, shareIds } from "../../../models/item-vectors/shared-ids.js";
import type { ItemId } from "../../../schemas/ids.js";

const ids = fc.uniqueArray(
  fc.string({ unit: fc.oneof(fc.constantFrom("a", "b"), fc.string({ unit: "grapheme", maxLength: 2 })), maxLength: 12 }),
  {
    maxLength: 200,
  },
);

describe("shared ids", () => {
  it("find each id at its row, and nothing else, as a map does", () => {
    fc.assert(
      fc.property(ids, fc.array(fc.string({ unit: "grapheme", maxLength: 4 })), (known, others) => {
        const shared = shareIds(known as ItemId[]);
        const rows = new Map(known.map((id, row) => [id, row]));
        for (const id of [...known, ...others]) expect(rowOfId(shared, id as ItemId)).toBe(rows.get(id) ?? -1);
      }),
    );
  });

  it("take no id for another that only looks alike once it is encoded", () => {
    const shared = shareIds(["\ufffd", "x".repeat(128)] as ItemId[]);
    expect([rowOfId(shared, "\ud800" as ItemId), rowOfId(shared, "x".repeat(129) as ItemId)]).toEqual([-1, -1]);
    expect(rowOfId(shared, "x".repeat(128) as ItemId)).toBe(1);
  });

  it("refuse an id that is there twice", () => {
    expect(() => shareIds(["a", "b", "a"] as ItemId[])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", where: "items" }));
  });
});
