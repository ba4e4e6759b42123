import type { StoreWrite } from "../schemas/ports/key-value-store.js";
import type { ItemTable } from "./item-table.js";
import { bandKey, itemKey } from "./keys.js";
import type { UserRow } from "./user-row.js";
import type { WriteArena } from "./write-arena.js";

const EMPTY = new Uint8Array(0);

/** Adds what the store is to have of a row: itself, and where it has `bands` the keys of the blocks that changed since it was last written. */
export function writeRow(user: UserRow, writes: StoreWrite[], arena: WriteArena, bands: boolean): void {
  const { key, row } = user;
  if (user.exists) {
    const value = arena.take(row.encodedLength);
    row.encodeInto(value, 0);
    writes.push({ type: "put", key, value });
  } else {
    writes.push({ type: "del", key });
  }
  if (bands) writeBands(user, writes, arena);
}

/** Adds the items from ordinal `from` on. */
export function writeItems(items: ItemTable, from: number, writes: StoreWrite[]): void {
  for (let ordinal = from; ordinal < items.size; ordinal++)
    writes.push({ type: "put", key: itemKey(ordinal), value: Buffer.from(items.id(ordinal), "utf8") });
}

function writeBands(user: UserRow, writes: StoreWrite[], arena: WriteArena): void {
  const { row, bands } = user;
  const has = user.exists && row.hasFingerprint;
  for (let block = 0; block < 4; block++) {
    const half = block < 2 ? row.fingerprintLo : row.fingerprintHi;
    const bits = has ? (half >>> (block & 1 ? 16 : 0)) & 0xffff : -1;
    const before = bands[block] as number;
    if (bits === before) continue;
    if (before >= 0) writes.push({ type: "del", key: bandKey(block, before, user.key, arena) });
    if (bits >= 0) writes.push({ type: "put", key: bandKey(block, bits, user.key, arena), value: EMPTY });
    bands[block] = bits;
  }
}
