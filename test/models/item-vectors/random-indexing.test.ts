import { describe, expect, it } from "vitest";
import { RandomIndexing } from "../../../models/item-vectors/random-indexing.js";
import type { ItemId } from "../../../schemas/ids.js";

const item = "song:42" as ItemId;

describe("RandomIndexing", () => {
  it("gives the vectors that another implementation of its definition gave", () => {
    // Python's hashlib over the documented bytes.
    expect([...new RandomIndexing(16, 7).vector(item)]).toEqual([1, -1, 1, 1, 1, -1, -1, 1, -1, 1, -1, -1, 1, 1, -1, -1]);
    const long = new RandomIndexing(300, 7).vector(item);
    expect([...long.subarray(256, 272)]).toEqual([1, 1, 1, 1, -1, 1, -1, -1, 1, -1, -1, -1, 1, -1, 1, 1]);
    expect(long.reduce((sum, value) => sum + value, 0)).toBe(2);
  });

  it("depends on seed and item, and not on the cache", () => {
    const model = new RandomIndexing(64, 1, 1);
    const first = [...model.vector(item)];
    expect([...model.vector("song:43" as ItemId)]).not.toEqual(first);
    expect([...model.vector(item)]).toEqual(first);
    expect([...new RandomIndexing(64, 2).vector(item)]).not.toEqual(first);
  });

  it("keeps items nearly orthogonal", () => {
    const model = new RandomIndexing(1024, 1);
    const vectors = Array.from({ length: 40 }, (_, i) => model.vector(`i${i}` as ItemId));
    let largest = 0;
    vectors.forEach((a, i) => {
      for (const b of vectors.slice(i + 1))
        largest = Math.max(largest, Math.abs(a.reduce((sum, value, d) => sum + value * (b[d] as number), 0)) / 1024);
    });
    // 780 pairs, standard deviation 1/32: five of it.
    expect(largest).toBeLessThan(5 / 32);
  });

  it("refuses dimensions and seeds out of range", () => {
    for (const [dims, seed] of [
      [4, 1],
      [2000, 1],
      [8.5, 1],
      [8, -1],
      [8, 2 ** 32],
    ] as const)
      expect(() => new RandomIndexing(dims, seed)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
