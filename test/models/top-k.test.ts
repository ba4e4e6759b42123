import fc from "fast-check";
import { expect, it } from "vitest";
import { TopK } from "../../models/top-k.js";

it("keeps what a full sort would, the lower row first among equal scores", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 80 }), fc.integer({ min: 1, max: 20 }), (scores, k) => {
      const list = new TopK(k);
      for (const [row, score] of scores.entries()) list.offer(row, score);
      const [rows, best] = [new Uint32Array(k), new Float64Array(k)];
      const count = list.take(rows, best);
      const sorted = [...scores.entries()].sort(([a, x], [b, y]) => y - x || a - b).slice(0, k);
      expect([...rows.subarray(0, count)]).toEqual(sorted.map(([row]) => row));
      expect([...best.subarray(0, count)]).toEqual(sorted.map(([, score]) => score));
    }),
  );
});

it("is empty and takes everything again once its list was taken", () => {
  const list = new TopK(2);
  list.offer(0, 5);
  list.offer(1, 7);
  const [rows, scores] = [new Uint32Array(2), new Float64Array(2)];
  expect(list.take(rows, scores)).toBe(2);
  expect(list.take(rows, scores)).toBe(0);
  list.offer(4, -9);
  expect(list.take(rows, scores)).toBe(1);
  expect(rows[0]).toBe(4);
});
