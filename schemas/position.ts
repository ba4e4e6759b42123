import { KindredError } from "./errors.js";
import type { Offset, Partition } from "./ids.js";

/** Offsets by partition: how far a log was acknowledged or applied. Partitions not named are at 0. */
export type Position = ReadonlyMap<Partition, Offset>;

const TOKEN = /^k1(?:-\d{1,9}\.[0-9a-z]{1,11})*$/;

/** The opaque token of a position, e.g. `k1-0.2s` = partition 0 at offset 100. Partitions in ascending order, so equal positions give equal tokens. */
export function formatPosition(position: Position): string {
  const parts = [...position].filter(([, offset]) => offset > 0).sort(([a], [b]) => a - b);
  return `k1${parts.map(([partition, offset]) => `-${partition}.${offset.toString(36)}`).join("")}`;
}

/** Reads a token. @throws KindredError INVALID_POSITION */
export function parsePosition(token: string): Position {
  if (token.length > 4096 || !TOKEN.test(token)) throw new KindredError("INVALID_POSITION", `not a position token: ${token.slice(0, 64)}`);
  const position = new Map<Partition, Offset>();
  for (const part of token.split("-").slice(1)) {
    const [partition, offset] = part.split(".") as [string, string];
    const at = Number.parseInt(offset, 36);
    if (!Number.isSafeInteger(at) || position.has(Number(partition) as Partition))
      throw new KindredError("INVALID_POSITION", `not a position token: ${token.slice(0, 64)}`);
    position.set(Number(partition) as Partition, at as Offset);
  }
  return position;
}

/** Whether `applied` includes all of `wanted`. */
export function covers(applied: Position, wanted: Position): boolean {
  for (const [partition, offset] of wanted) if ((applied.get(partition) ?? 0) < offset) return false;
  return true;
}
