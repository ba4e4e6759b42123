import { KindredError } from "../schemas/errors.js";
import type { ItemFinder } from "./item-finder.js";

const FOUR_BYTES = 2 ** 28;

/**
 * Writes an integer from 0 to 2^53 - 1 at `at`, seven bits a byte, lowest first, the top bit of a byte set where more follow; gives the end.
 */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let left = value;
  if (value >= FOUR_BYTES) {
    // Bit operations have 32 bits, and remainders of doubles are slow: the lowest 28 by a product, then the rest.
    const high = Math.floor(value / FOUR_BYTES);
    const low = value - high * FOUR_BYTES;
    target[at] = (low & 0x7f) | 0x80;
    target[at + 1] = ((low >>> 7) & 0x7f) | 0x80;
    target[at + 2] = ((low >>> 14) & 0x7f) | 0x80;
    target[at + 3] = (low >>> 21) | 0x80;
    at += 4;
    left = high;
  }
  while (left > 0x7f) {
    target[at++] = (left & 0x7f) | 0x80;
    left >>>= 7;
  }
  target[at] = left;
  return at + 1;
}

/** Reads what varints, text and numbers were written as; whatever does not fit is damage, never something else. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  /** @param what is read, for the message */
  constructor(
    value: Uint8Array,
    private readonly what: string,
    private readonly where: string,
  ) {
    this.#bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  byte(): number {
    if (this.#at >= this.#bytes.length) throw this.damaged("it is cut short");
    return this.#bytes[this.#at++] as number;
  }

  varint(): number {
    let byte = this.byte();
    let value = byte & 0x7f;
    for (let unit = 0x80; byte > 0x7f; unit *= 0x80) {
      byte = this.byte();
      value += (byte & 0x7f) * unit;
      if (value > Number.MAX_SAFE_INTEGER) throw this.damaged("a number is out of range");
    }
    return value;
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  /** An item by its id: a varint of its bytes before it. */
  item(items: ItemFinder): number {
    const bytes = this.varint();
    const from = this.#take(bytes);
    return items.ordinal(this.#bytes, from, from + bytes);
  }

  bytes(bytes: number): Uint8Array {
    const from = this.#take(bytes);
    return this.#bytes.subarray(from, from + bytes);
  }

  damaged(why: string): KindredError {
    return new KindredError("STATE_CORRUPT", `${this.what} is damaged: ${why}`, this.where);
  }

  #take(bytes: number): number {
    const from = this.#at;
    if (from + bytes > this.#bytes.length) throw this.damaged("it is cut short");
    this.#at += bytes;
    return from;
  }
}
