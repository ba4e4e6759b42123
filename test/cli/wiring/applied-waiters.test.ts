import { describe, expect, it } from "vitest";
import { AppliedWaiters } from "../../../cli/wiring/applied-waiters.js";
import type { Offset, Partition } from "../../../schemas/ids.js";
import type { Position } from "../../../schemas/position.js";

const at = (...offsets: number[]): Position => new Map(offsets.map((offset, partition) => [partition as Partition, offset as Offset]));

describe("AppliedWaiters", () => {
  it("answers at once what is applied already, and wakes who waits as soon as it is", async () => {
    const applied = new AppliedWaiters();
    applied.advance(at(10), 5);
    expect(await applied.waitFor(at(10), 0)).toBe(true);
    const order: string[] = [];
    const waits = [
      applied.waitFor(at(12), 5_000).then((ok) => order.push(`12 ${ok}`)),
      applied.waitFor(at(11), 5_000).then((ok) => order.push(`11 ${ok}`)),
    ];
    applied.advance(at(11), 6);
    await waits[1];
    applied.advance(at(12), 7);
    await Promise.all(waits);
    expect(order).toEqual(["11 true", "12 true"]);
    expect(applied.current()).toEqual({ position: at(12), eventTime: 7 });
  });

  it("needs every partition of a position", async () => {
    const applied = new AppliedWaiters();
    applied.advance(at(5, 1), 0);
    expect(await applied.waitFor(at(5, 2), 1)).toBe(false);
  });

  it("says false after the time given, and when it closes", async () => {
    const applied = new AppliedWaiters();
    expect(await applied.waitFor(at(1), 1)).toBe(false);
    const waiting = applied.waitFor(at(1), 60_000);
    applied.close();
    expect(await waiting).toBe(false);
  });
});
