import { KindredError } from "../../schemas/errors.js";
import type { ItemId } from "../../schemas/ids.js";

/** Ids by the rows of a table, in memory that threads share: a model of millions of items is no object an item in any of them. */
export interface SharedIds {
  /** All ids, one after the other, in UTF-8. */
  readonly bytes: Uint8Array;
  /** Where each ends. */
  readonly ends: Uint32Array;
  /** A hash table: row + 1, or 0 where nothing is. A power of two of them, at most half in use. */
  readonly slots: Uint32Array;
}

/** Longest id in UTF-8: 128 UTF-16 code units. */
const MOST_BYTES = 3 * 128;
const encoder = new TextEncoder();
const sought = new Uint8Array(MOST_BYTES);

/** @throws KindredError INVALID_ARGUMENT: an id twice */
export function shareIds(ids: readonly ItemId[]): SharedIds {
  const bytes = new Uint8Array(new SharedArrayBuffer(ids.reduce((sum, id) => sum + Buffer.byteLength(id), 0)));
  const ends = new Uint32Array(new SharedArrayBuffer(4 * ids.length));
  const slots = new Uint32Array(new SharedArrayBuffer(4 * 2 ** Math.ceil(Math.log2(Math.max(2, 2 * ids.length)))));
  const shared = { bytes, ends, slots };
  let [at, twice] = [0, 0];
  for (const [row, id] of ids.entries()) {
    const length = encoded(id);
    const slot = slotOf(shared, length);
    if (slots[slot] !== 0) twice += 1;
    bytes.set(sought.subarray(0, length), at);
    at += length;
    ends[row] = at;
    slots[slot] = row + 1;
  }
  if (twice > 0) throw new KindredError("INVALID_ARGUMENT", `${twice} items are named twice`, "items");
  return shared;
}

/** The id's row; -1 where there is none. */
export function rowOfId(ids: SharedIds, id: ItemId): number {
  // Encoding would make another id of it.
  if (id.length > 128 || !id.isWellFormed()) return -1;
  return (ids.slots[slotOf(ids, encoded(id))] as number) - 1;
}

const encoded = (id: ItemId): number => encoder.encodeInto(id, sought).written;

/** Where the id in `sought` is, or would be put. */
function slotOf({ bytes, ends, slots }: SharedIds, length: number): number {
  const mask = slots.length - 1;
  for (let slot = hashOf(length) & mask; ; slot = (slot + 1) & mask) {
    const row = (slots[slot] as number) - 1;
    if (row < 0) return slot;
    const end = ends[row] as number;
    const from = row === 0 ? 0 : (ends[row - 1] as number);
    if (end - from !== length) continue;
    let same = 0;
    while (same < length && bytes[from + same] === sought[same]) same += 1;
    if (same === length) return slot;
  }
}

/** FNV-1a, its high bits mixed into the low ones. */
function hashOf(length: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (sought[i] as number), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
