import { describe, expect, it } from "vitest";
import { Pace } from "../../../cli/wiring/pace.js";

describe("Pace", () => {
  it("lets events happen as far apart as they did, times the speed", () => {
    let now = 1_000;
    const pace = new Pace(60, new AbortController().signal, () => now);
    expect(pace.dueIn(5_000_000)).toBe(0);
    expect(pace.dueIn(5_060_000)).toBe(1_000);
    now += 400;
    expect(pace.dueIn(5_060_000)).toBe(600);
    now += 10_000;
    expect(pace.dueIn(5_060_000)).toBe(0);
    expect(pace.dueIn(4_000_000)).toBe(0);
  });

  it("waits in parts for what is due later than a timer reaches", async () => {
    let now = 0;
    const slept: number[] = [];
    const sleep = async (ms: number) => {
      slept.push(ms);
      now += ms;
    };
    const pace = new Pace(1, new AbortController().signal, () => now, sleep);
    await pace.until(0);
    await pace.until(5_000_000_000);
    expect(now).toBe(5_000_000_000);
    expect(Math.max(...slept)).toBeLessThan(2 ** 31);
  });

  it("stops waiting when it is told to", async () => {
    const stop = new AbortController();
    const pace = new Pace(1, stop.signal);
    pace.dueIn(0);
    const waiting = pace.until(86_400_000_000);
    stop.abort();
    await expect(waiting).resolves.toBeUndefined();
  });
});
