import * as fc from "fast-check";
import { expect, it } from "vitest";
import { ByteReader, writeVarint } from "../../state/byte-reader.js";
import { ItemFinder } from "../../state/item-finder.js";
import { ItemTable } from "../../state/item-table.js";

const read = (bytes: Uint8Array): ByteReader => new ByteReader(bytes, "a thing", "here");

it("reads every whole number that it wrote, to its end", () => {
  const edges = Array.from({ length: 54 }, (_, i) => 2 ** i).flatMap((power) => [power - 1, Math.min(power, Number.MAX_SAFE_INTEGER)]);
  const numbers = fc.oneof(fc.constantFrom(...edges), fc.maxSafeNat());
  fc.assert(
    fc.property(fc.array(numbers), (values) => {
      const bytes = Buffer.alloc(8 * values.length);
      let at = 0;
      for (const value of values) at = writeVarint(bytes, at, value);
      const reader = read(bytes.subarray(0, at));
      expect(values.map(() => reader.varint())).toEqual(values);
      expect(reader.ended).toBe(true);
    }),
  );
  expect([127, 128, 2 ** 35].map((value) => writeVarint(Buffer.alloc(8), 0, value))).toEqual([1, 2, 6]);
});

it("calls damage by its name and its place: what is cut short, and numbers that no number holds", () => {
  const cut = { code: "STATE_CORRUPT", message: "a thing is damaged: it is cut short (here)" };
  expect(() => read(Uint8Array.of(0x80, 0x80)).varint()).toThrow(expect.objectContaining(cut));
  expect(() => read(Uint8Array.of(1, 2, 3)).double()).toThrow(expect.objectContaining(cut));
  expect(() => read(Uint8Array.of(3, 2, 3)).item(new ItemFinder(new ItemTable()))).toThrow(expect.objectContaining(cut));
  expect(() => read(Uint8Array.of(1, 2, 3)).bytes(2 ** 50)).toThrow(expect.objectContaining(cut));
  expect(() => read(new Uint8Array(20).fill(0xff)).varint()).toThrow("a number is out of range");
});
