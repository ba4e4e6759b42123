import type { AppliedPosition } from "../schemas/ports/event-log.js";
import { covers, formatPosition, parsePosition } from "../schemas/position.js";
import { toTime } from "./wire-time.js";

/**
 * Waits until everything up to `after` is recallable, at most `waitMs`. True at once without `after`.
 * @throws KindredError INVALID_POSITION
 */
export function reached(applied: AppliedPosition, after: string | undefined, waitMs: number): true | Promise<boolean> {
  if (after === undefined) return true;
  const wanted = parsePosition(after);
  if (covers(applied.current().position, wanted)) return true;
  return waitMs === 0 ? Promise.resolve(false) : applied.waitFor(wanted, waitMs);
}

/** What an answer may claim to include: read before its search begins, hence a lower bound. */
export function readAsOf(applied: AppliedPosition): { position: string; eventTime: string | null } {
  const { position, eventTime } = applied.current();
  return { position: formatPosition(position), eventTime: eventTime > 0 ? toTime(eventTime) : null };
}
