import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Offset, Partition } from "../../schemas/ids.js";
import { covers, formatPosition, type Position, parsePosition } from "../../schemas/position.js";

const positionOf = (entries: readonly (readonly [number, number])[]): Position => new Map(entries as [Partition, Offset][]);
const anyPosition = fc
  .uniqueArray(fc.tuple(fc.nat(1000), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })), {
    selector: ([partition]) => partition,
    maxLength: 6,
  })
  .map(positionOf);

describe("position tokens", () => {
  it("look like this", () => {
    expect(
      formatPosition(
        positionOf([
          [1, 36],
          [0, 100],
          [2, 0],
        ]),
      ),
    ).toBe("k1-0.2s-1.10");
    expect(formatPosition(positionOf([]))).toBe("k1");
  });

  it("read as they were written, whatever the order", () => {
    fc.assert(
      fc.property(anyPosition, (position) => {
        const token = formatPosition(position);
        expect(new Map([...parsePosition(token)].sort())).toEqual(new Map([...position].sort()));
        expect(formatPosition(positionOf([...position].reverse()))).toBe(token);
      }),
    );
  });

  it.each(["", "k2-0.1", "k1-0", "k1-0.1-0.2", "k1-0.zzzzzzzzzzz", "k1-0.1 ", `k1${"-1.1".repeat(2000)}`])(
    "are refused when they are not: %s",
    (token) => {
      expect(() => parsePosition(token)).toThrow(expect.objectContaining({ code: "INVALID_POSITION" }));
    },
  );

  it("cover what is at or below them in every partition", () => {
    expect(covers(positionOf([[0, 5]]), positionOf([[0, 5]]))).toBe(true);
    expect(covers(positionOf([[0, 5]]), positionOf([[0, 6]]))).toBe(false);
    expect(covers(positionOf([[0, 5]]), positionOf([[1, 1]]))).toBe(false);
    expect(covers(positionOf([]), positionOf([]))).toBe(true);
  });
});
