import { setTimeout as timer } from "node:timers/promises";
import type { EpochMs } from "../../schemas/ids.js";

/** The longest that a timer waits: 31 bits of milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/** Lets events happen as far apart as they did, times a factor. */
export class Pace {
  private first: { readonly ts: EpochMs; readonly at: number } | undefined;

  /** @param speed event time per wall time: 60 = an hour a minute */
  constructor(
    private readonly speed: number,
    private readonly signal: AbortSignal,
    private readonly now: () => number = () => performance.now(),
    private readonly sleep: (ms: number, signal: AbortSignal) => Promise<void> = (ms, signal) => timer(ms, undefined, { signal }),
  ) {}

  /** Milliseconds until an event of `ts` is due; the first one is due at once. */
  dueIn(ts: EpochMs): number {
    this.first ??= { ts, at: this.now() };
    return Math.max(0, this.first.at + (ts - this.first.ts) / this.speed - this.now());
  }

  /** Resolves when it is due, or when the signal aborts. */
  async until(ts: EpochMs): Promise<void> {
    // What is due in weeks is more than one timer takes.
    for (let wait = this.dueIn(ts); wait > 0 && !this.signal.aborted; wait = this.dueIn(ts))
      await this.sleep(Math.min(wait, LONGEST_MS), this.signal).catch((error: unknown) => {
        if (!this.signal.aborted) throw error;
      });
  }
}
