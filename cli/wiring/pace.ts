import { setTimeout as sleep } from "node:timers/promises";
import type { EpochMs } from "../../schemas/ids.js";

/** Lets events happen as far apart as they did, times a factor. */
export class Pace {
  private first: { readonly ts: EpochMs; readonly at: number } | undefined;

  /** @param speed event time per wall time: 60 = an hour a minute */
  constructor(
    private readonly speed: number,
    private readonly signal: AbortSignal,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Milliseconds until an event of `ts` is due; the first one is due at once. */
  dueIn(ts: EpochMs): number {
    this.first ??= { ts, at: this.now() };
    return Math.max(0, this.first.at + (ts - this.first.ts) / this.speed - this.now());
  }

  /** Resolves when it is due, or when the signal aborts. */
  async until(ts: EpochMs): Promise<void> {
    const wait = this.dueIn(ts);
    // Timers take 31 bits; what is due in weeks is waited for in parts.
    if (wait > 0) await sleep(Math.min(wait, 2 ** 31 - 1), undefined, { signal: this.signal }).catch(() => undefined);
  }
}
