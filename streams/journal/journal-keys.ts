import type { CatalogueNumber, ItemId, Offset, UserId } from "../../schemas/ids.js";

/**
 * Keys of the journal's store. The first byte says what is kept:
 * `r` block of records by first offset, `k` payload key by user, `p` payload key by reference, `i` side information by item,
 * `c` catalogue by number, `a` number of the catalogue by the offset of its activation, `f` progress of a file by its hash, `d` dead letter by number, `m` the journal's own few values.
 */
export type Prefix = "r" | "k" | "p" | "i" | "c" | "a" | "f" | "d";

/** `prefix` + unsigned 64 bits, big endian, so that keys sort as numbers do. */
export function numberKey(prefix: "r" | "p" | "c" | "a" | "d", number: Offset | CatalogueNumber | number): Buffer {
  const key = Buffer.allocUnsafe(9);
  key[0] = prefix.charCodeAt(0);
  key.writeUInt32BE(Math.floor(number / 2 ** 32), 1);
  key.writeUInt32BE(number >>> 0, 5);
  return key;
}

/** The number of a key made by `numberKey`. */
export function numberOf(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return view.getUint32(1) * 2 ** 32 + view.getUint32(5);
}

export const textKey = (prefix: "k" | "i" | "f", text: UserId | ItemId | string): Buffer => Buffer.from(prefix + text);

/** All keys of a prefix. */
export const allOf = (prefix: Prefix): { gte: Buffer; lt: Buffer } => ({
  gte: Buffer.from(prefix),
  lt: Buffer.from([prefix.charCodeAt(0) + 1]),
});

export const META = {
  format: Buffer.from("m:format"),
  /** First offset that is still kept. */
  first: Buffer.from("m:first"),
  /** Newest acknowledged offset. */
  end: Buffer.from("m:end"),
  systemKey: Buffer.from("m:system-key"),
  deadLetters: Buffer.from("m:dead-letters"),
  generations: Buffer.from("m:generations"),
} as const;

/** A number as 8 bytes, little endian. */
export function numberValue(number: number): Buffer {
  const value = Buffer.allocUnsafe(8);
  value.writeDoubleLE(number);
  return value;
}

export const readNumber = (value: Uint8Array): number => new DataView(value.buffer, value.byteOffset, 8).getFloat64(0, true);
