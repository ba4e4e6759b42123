import { hash } from "node:crypto";
import type { UserId } from "../schemas/ids.js";
import type { KeyRange } from "../schemas/ports/key-value-store.js";
import type { WriteArena } from "./write-arena.js";

/**
 * All keys of a partition's store. Numbers are big endian, so that byte order is numeric order.
 *
 * | key | value |
 * |---|---|
 * | `b` block u8, 16 bits of the fingerprint u16, user | empty: the user's fingerprint has these bits in this block (0 = bits 15..0) |
 * | `c` offset u64, commit u64 | what one commit changed (change-record.ts); trimmed by a snapshot |
 * | `e` | empty: bytes of erased users may still lie in the files (erasure-sweep.ts) |
 * | `i` ordinal u32 | item id |
 * | `l` | how much of the partition's changelog the store has (changelog-mark.ts); absent without one |
 * | `m` | the partition's meta (partition-meta.ts) |
 * | `n` 0xffffffff u32 | JSON `{ changesFrom }`: change records of commits that ended before it are gone (partition-upkeep.ts) |
 * | `r` user | the row (schemas/row.ts) |
 * | `t` first 16 bytes of SHA-256 of the user | tombstone of an erased user: erasure epoch u32, erased at f64. The id itself is gone |
 *
 * `m` lies before `r` with nothing of a fold between them, so that one iteration sees a meta and its rows. Earlier versions left
 * item counts under other numbers of `n`: nobody reads them.
 */
const PREFIX = {
  band: 0x62,
  change: 0x63,
  erased: 0x65,
  item: 0x69,
  changelog: 0x6c,
  meta: 0x6d,
  changesFrom: 0x6e,
  row: 0x72,
  tombstone: 0x74,
} as const;

export const META_KEY: Uint8Array = Uint8Array.of(PREFIX.meta);
/** How much of its changelog the store has. */
export const CHANGELOG_KEY: Uint8Array = Uint8Array.of(PREFIX.changelog);
/** There while erased users are not swept out of the files. */
export const UNSWEPT_KEY: Uint8Array = Uint8Array.of(PREFIX.erased);
/** The meta, then all rows. */
export const META_AND_ROWS: KeyRange = { gte: META_KEY, lt: Uint8Array.of(PREFIX.row + 1) };
export const ITEMS: KeyRange = { gte: Uint8Array.of(PREFIX.item), lt: Uint8Array.of(PREFIX.item + 1) };
export const CHANGES_FROM_KEY: Uint8Array = Uint8Array.of(PREFIX.changesFrom, 0xff, 0xff, 0xff, 0xff);

function textKey(prefix: number, text: string): Buffer {
  const key = Buffer.allocUnsafe(1 + Buffer.byteLength(text, "utf8"));
  key[0] = prefix;
  key.write(text, 1, "utf8");
  return key;
}

export const rowKey = (user: UserId): Buffer => textKey(PREFIX.row, user);
export const userOfRowKey = (key: Uint8Array): UserId =>
  Buffer.from(key.buffer, key.byteOffset + 1, key.length - 1).toString("utf8") as UserId;
export const isRowKey = (key: Uint8Array): boolean => key[0] === PREFIX.row;
/** Rows of users after `user` in byte order; "" = all. */
export const rowsAfter = (user: string): KeyRange => ({ gt: textKey(PREFIX.row, user), lt: Uint8Array.of(PREFIX.row + 1) });

/** A range of keys of which neither end is anybody's: both may be deleted. */
export interface KeySpan {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
}
const spanOf = (prefix: number): KeySpan => ({ gte: Uint8Array.of(prefix), lt: Uint8Array.of(prefix + 1) });
export const ALL_ROWS: KeySpan = spanOf(PREFIX.row);
export const ALL_BANDS: KeySpan = spanOf(PREFIX.band);
export const ALL_CHANGES: KeySpan = spanOf(PREFIX.change);
/** The user's row key and hardly more. The ends are no UTF-8, so no user has them. */
export function rowsAround(user: UserId): KeySpan {
  const key = rowKey(user);
  const before = key.subarray(0, -1);
  const last = key[key.length - 1] as number;
  if (last === 0) return ALL_ROWS;
  return { gte: Buffer.from([...before, last - 1, 0xff]), lt: Buffer.from([...before, last + 1, 0xff]) };
}

export function itemKey(ordinal: number): Buffer {
  const key = Buffer.allocUnsafe(5);
  key[0] = PREFIX.item;
  key.writeUInt32BE(ordinal, 1);
  return key;
}

export const tombstoneKey = (user: UserId): Buffer => tombstoneKeyOf(hash("sha256", user, "hex").slice(0, 32));
/** By the 32 hex digits that stand for the user. */
export const tombstoneKeyOf = (name: string): Buffer => Buffer.from([PREFIX.tombstone, ...Buffer.from(name, "hex")]);

/** @param block 0..3, `bits` 16 of the fingerprint, `row` the user's row key */
export function bandKey(block: number, bits: number, row: Buffer, arena: WriteArena): Buffer {
  const key = arena.take(row.length + 3);
  key[0] = PREFIX.band;
  key[1] = block;
  key[2] = bits >>> 8;
  key[3] = bits;
  key.set(row.subarray(1), 4);
  return key;
}

export function changeKey(offset: number, commit: number): Buffer {
  const key = Buffer.allocUnsafe(17);
  key[0] = PREFIX.change;
  key.writeBigUInt64BE(BigInt(offset), 1);
  key.writeBigUInt64BE(BigInt(commit), 9);
  return key;
}
/** Changes of commits that ended at `offset` or later. */
export const changesFrom = (offset: number): KeyRange => ({ gte: changeKey(offset, 0), lt: Uint8Array.of(PREFIX.change + 1) });
/** Changes of commits that ended before `offset`. */
export const changesBefore = (offset: number): KeyRange => ({ gte: Uint8Array.of(PREFIX.change), lt: changeKey(offset, 0) });
