import type { EpochMs } from "../../schemas/ids.js";
import type { AppliedPosition } from "../../schemas/ports/event-log.js";
import { covers, type Position } from "../../schemas/position.js";

interface Waiter {
  readonly wanted: Position;
  done(reached: boolean): void;
}

/** How far the updater has come, as it tells; wakes who waits for a position. */
export class AppliedWaiters implements AppliedPosition {
  private state: { readonly position: Position; readonly eventTime: EpochMs } = { position: new Map(), eventTime: 0 };
  private readonly waiters = new Set<Waiter>();

  current(): { readonly position: Position; readonly eventTime: EpochMs } {
    return this.state;
  }

  /** After a publish: what it covers is recallable. */
  advance(position: Position, eventTime: EpochMs): void {
    this.state = { position, eventTime };
    for (const waiter of this.waiters) if (covers(position, waiter.wanted)) waiter.done(true);
  }

  /** Nothing will be applied any more. */
  close(): void {
    for (const waiter of this.waiters) waiter.done(false);
  }

  waitFor(wanted: Position, timeoutMs: number): Promise<boolean> {
    if (covers(this.state.position, wanted)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => waiter.done(false), timeoutMs);
      const waiter: Waiter = {
        wanted,
        done: (reached) => {
          clearTimeout(timer);
          this.waiters.delete(waiter);
          resolve(reached);
        },
      };
      this.waiters.add(waiter);
    });
  }
}
