import { KindredError } from "../schemas/errors.js";

/**
 * Writes an integer from 0 to 2^53 - 1 at `at`, seven bits a byte, lowest first, the top bit of a byte set where more follow; gives the end.
 */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let left = value;
  // Bits are cheaper than division, and 32 of them are all that they take.
  while (left > 0x7fffffff) {
    target[at++] = (left % 0x80) | 0x80;
    left = Math.floor(left / 0x80);
  }
  while (left > 0x7f) {
    target[at++] = (left & 0x7f) | 0x80;
    left >>>= 7;
  }
  target[at++] = left;
  return at;
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

  text(bytes: number): string {
    const from = this.#take(bytes);
    return this.#bytes.toString("utf8", from, from + bytes);
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
