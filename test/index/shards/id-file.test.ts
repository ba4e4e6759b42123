import * as fc from "fast-check";
import { expect, it } from "vitest";
import { decodeIds, encodeIds } from "../../../index/shards/id-file.js";

const ids = fc.array(fc.option(fc.string({ minLength: 1, maxLength: 128, unit: "grapheme" })), { maxLength: 30 });

it("gives back every id, with null for those nobody knows", () => {
  fc.assert(
    fc.property(ids, (list) => {
      expect(decodeIds(encodeIds(list), "x.ids")).toEqual(list);
    }),
  );
  expect(decodeIds(encodeIds(["", undefined, "a"]), "x.ids")).toEqual([null, null, "a"]);
});

it("refuses a file that is cut short, goes on too long or is of another format", () => {
  const bytes = encodeIds(["one", null, "zwei"]);
  const corrupt = expect.objectContaining({ code: "SHARD_CORRUPT", message: expect.stringContaining("x.ids") });
  for (let end = 0; end < bytes.length; end++) expect(() => decodeIds(bytes.subarray(0, end), "x.ids")).toThrow(corrupt);
  expect(() => decodeIds(Buffer.concat([bytes, Buffer.of(0)]), "x.ids")).toThrow(corrupt);
  bytes[5] = 2;
  expect(() => decodeIds(bytes, "x.ids")).toThrow(corrupt);
});
