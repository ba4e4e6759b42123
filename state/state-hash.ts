import { hash } from "node:crypto";
import { KindredError } from "../schemas/errors.js";
import { FINGERPRINT_BITS, MAX_PROFILE_ITEMS, MAX_RING } from "../schemas/row.js";
import type { ItemTable } from "./item-table.js";
import type { UserRow } from "./user-row.js";

const HASH_FORMAT = 1;
const FIXED_BYTES = 48 + 8 * FINGERPRINT_BITS;
const ENTRY_BYTES = 32;
const MAX_USER_BYTES = 3 * 128;

/**
 * The hash of a user's row: the first 16 bytes of SHA-256 over, little endian,
 * format u32, erasure epoch u32, landmark f64, newest event time f64, total weight f64, events u32, ring count u32,
 * entry count u32, bytes of the user id u32, 64 accumulators f64, the ring's hashes oldest first (hi u32, lo u32), each entry
 * in order (first 16 bytes of SHA-256 of the item id as four big endian words written u32, weight i32, zero u32, event time
 * f64), the user id in UTF-8. Ids and not ordinals; no positions, no sums of a generation: the same log gives the same hash
 * wherever and however it was folded.
 */
export class RowHasher {
  readonly #bytes = Buffer.alloc(FIXED_BYTES + 8 * MAX_RING + ENTRY_BYTES * MAX_PROFILE_ITEMS + MAX_USER_BYTES);
  readonly #u32 = new Uint32Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length >> 2);
  readonly #f64 = new Float64Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length >> 3);

  /** Writes the four words of the hash, most significant first, into target[at .. at + 3]. */
  hashInto(user: UserRow, items: ItemTable, target: Uint32Array, at: number): void {
    const length = this.#write(user, items);
    const hex = hash("sha256", this.#bytes.subarray(0, length), "hex");
    for (let word = 0; word < 4; word++) target[at + word] = Number.parseInt(hex.slice(8 * word, 8 * word + 8), 16);
  }

  #write(user: UserRow, items: ItemTable): number {
    const row = user.row;
    const u32 = this.#u32;
    const f64 = this.#f64;
    u32[0] = HASH_FORMAT;
    u32[1] = row.erasureEpoch;
    f64[1] = row.landmark;
    f64[2] = row.updatedAt;
    f64[3] = row.totalWeight;
    u32[8] = row.events;
    u32[9] = row.ringCount;
    u32[10] = row.entryCount;
    for (let i = 0; i < FINGERPRINT_BITS; i++) f64[6 + i] = row.f64[row.accumulatorsAt + i] as number;
    let word = FIXED_BYTES >> 2;
    for (let n = 0; n < row.ringCount; n++, word += 2) {
      const from = row.ringWordAt(n);
      u32[word] = row.u32[from] as number;
      u32[word + 1] = row.u32[from + 1] as number;
    }
    for (let i = 0; i < row.entryCount; i++, word += 8) {
      items.copyHash(row.entryItem(i), u32, word);
      u32[word + 4] = row.entryWeight(i);
      u32[word + 5] = 0;
      f64[(word >> 1) + 3] = row.entryTs(i);
    }
    const userBytes = this.#bytes.write(user.user, 4 * word, "utf8");
    u32[11] = userBytes;
    return 4 * word + userBytes;
  }
}

/** A sum of 128-bit hashes mod 2^128: adding and taking away commute, so partitions and micro-batches add up. */
export class HashSum {
  /** Most significant first. */
  readonly #words = new Uint32Array(4);

  add(words: Uint32Array, at: number): void {
    let carry = 0;
    for (let i = 3; i >= 0; i--) {
      const sum = (this.#words[i] as number) + (words[at + i] as number) + carry;
      carry = sum > 0xffffffff ? 1 : 0;
      this.#words[i] = sum;
    }
  }

  subtract(words: Uint32Array, at: number): void {
    let borrow = 0;
    for (let i = 3; i >= 0; i--) {
      const difference = (this.#words[i] as number) - (words[at + i] as number) - borrow;
      borrow = difference < 0 ? 1 : 0;
      this.#words[i] = difference;
    }
  }

  /** 32 lower-case hex digits. */
  toString(): string {
    return [...this.#words].map((word) => word.toString(16).padStart(8, "0")).join("");
  }

  /** @throws KindredError INVALID_ARGUMENT */
  static parse(text: string): HashSum {
    if (!/^[0-9a-f]{32}$/.test(text)) throw new KindredError("INVALID_ARGUMENT", "a state hash has 32 hex digits");
    const sum = new HashSum();
    for (let i = 0; i < 4; i++) sum.#words[i] = Number.parseInt(text.slice(8 * i, 8 * i + 8), 16);
    return sum;
  }

  /** The sum over partitions: hashes of 32 hex digits each. */
  static total(hashes: Iterable<string>): string {
    const sum = new HashSum();
    for (const one of hashes) sum.add(HashSum.parse(one).#words, 0);
    return sum.toString();
  }
}
