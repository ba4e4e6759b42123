import type { EpochMs } from "../schemas/ids.js";

/** RFC 3339 in UTC. Times beyond what a date can hold answer with the last it can. */
export function toTime(ms: EpochMs): string {
  return new Date(Math.min(Math.max(ms, -8.64e15), 8.64e15)).toISOString();
}
