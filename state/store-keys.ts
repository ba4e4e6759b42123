import { KindredError } from "../schemas/errors.js";
import type { KeyRange } from "../schemas/ports/key-value-store.js";

/** Lowest key a caller may use. Keys that begin with 0x00 are the store's own (its format version). */
export const FIRST_KEY: Uint8Array = Uint8Array.of(1);

/** @throws KindredError INVALID_ARGUMENT when the key is empty or begins with the byte 0x00 */
export function checkKey(key: Uint8Array): void {
  if (key.length === 0 || key[0] === 0)
    throw new KindredError("INVALID_ARGUMENT", "a key has at least one byte and does not begin with 0x00");
}

/** The range without the store's own keys. */
export function ownedRange(range: KeyRange): KeyRange {
  const lower = range.gte ?? range.gt;
  if (lower !== undefined && lower.length > 0 && lower[0] !== 0) return range;
  const { gt: _gt, gte: _gte, ...rest } = range;
  return { ...rest, gte: FIRST_KEY };
}
