import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { ItemId } from "../../schemas/ids.js";
import { ItemFinder } from "../../state/item-finder.js";
import { ItemTable } from "../../state/item-table.js";

const find = (finder: ItemFinder, id: string): number => {
  const bytes = Buffer.from(`before${id}behind`);
  return finder.ordinal(bytes, 6, bytes.length - 6);
};

it("finds each item under the number that the table has for it, and numbers new ones there", () => {
  const items = new ItemTable();
  const finder = new ItemFinder(items);
  items.ordinal("known" as ItemId);
  const id = fc.oneof(
    fc.string({ maxLength: 40 }).filter((text) => text.isWellFormed()),
    fc.constantFrom("known", "語".repeat(128), "x".repeat(127)),
  );
  fc.assert(
    fc.property(fc.array(id), (ids) => {
      for (const one of ids) {
        const known = items.find(one as ItemId);
        const found = find(finder, one);
        expect([items.id(found), known ?? found]).toEqual([one, found]);
      }
    }),
  );
});

it("goes on finding them when there are many, also those with equal beginnings or ends", () => {
  const items = new ItemTable();
  const finder = new ItemFinder(items);
  const ids = Array.from({ length: 20_000 }, (_, i) => (i % 2 ? `song:${i}` : `${i}:song`));
  for (const [i, id] of ids.entries()) expect(find(finder, id)).toBe(i);
  for (const [i, id] of ids.entries()) expect(find(finder, id)).toBe(i);
  expect(items.size).toBe(ids.length);
});

it("takes bytes that are no UTF-8 for the text that they read as", () => {
  const items = new ItemTable();
  const finder = new ItemFinder(items);
  for (const bytes of [Buffer.of(0xff), Buffer.of(0xfe), Buffer.from("\ufffd")]) expect(finder.ordinal(bytes, 0, bytes.length)).toBe(0);
  expect(items.id(0)).toBe("\ufffd");
});
