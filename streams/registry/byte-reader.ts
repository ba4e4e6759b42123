const TWO_28 = 2 ** 28;
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads the bytes of producers whom nobody vouches for: nothing is read beyond the end, and no count is believed. */
export class ByteReader {
  position = 0;
  // The last varint, in parts of 28, 28 and 8 bits: 64 bits do not fit a double.
  #low = 0;
  #middle = 0;
  #high = 0;

  constructor(
    readonly bytes: Buffer,
    readonly end: number = bytes.length,
  ) {}

  get remaining(): number {
    return this.end - this.position;
  }

  byte(): number {
    if (this.position >= this.end) throw new Error("cut short");
    return this.bytes[this.position++] as number;
  }

  /** Skips `length` bytes. @returns where they begin */
  take(length: number): number {
    if (!(length >= 0 && length <= this.remaining)) throw new Error(length < 0 ? "a negative length" : "cut short");
    const begin = this.position;
    this.position += length;
    return begin;
  }

  /** An unsigned varint; exact below 2^53. */
  varint(): number {
    // Lengths, tags, branches and counts are nearly always one byte.
    const first = this.bytes[this.position];
    if (first !== undefined && first < 128 && this.position < this.end) {
      this.position++;
      return first;
    }
    this.#readVarint();
    return (this.#high * TWO_28 + this.#middle) * TWO_28 + this.#low;
  }

  /** Two's complement of 64 bits as a varint, as Protobuf writes int64; exact within 2^53 of zero. */
  signedVarint(): number {
    this.#readVarint();
    const high = this.#high < 128 ? this.#high : this.#high - 256;
    return (high * TWO_28 + this.#middle) * TWO_28 + this.#low;
  }

  /** A zigzag varint, as Avro writes every number and Protobuf sint64; exact within 2^53 of zero. */
  zigzag(): number {
    const first = this.bytes[this.position];
    if (first !== undefined && first < 128 && this.position < this.end) {
      this.position++;
      return (first >>> 1) ^ -(first & 1);
    }
    this.#readVarint();
    const odd = this.#low & 1;
    const half = (this.#high * TWO_28 + this.#middle) * (TWO_28 / 2) + (this.#low >>> 1);
    return odd === 0 ? half : -half - 1;
  }

  float(): number {
    return this.bytes.readFloatLE(this.take(4));
  }

  double(): number {
    return this.bytes.readDoubleLE(this.take(8));
  }

  fixed32(): number {
    return this.bytes.readUInt32LE(this.take(4));
  }

  fixed64(signed: boolean): number {
    const begin = this.take(8);
    const low = this.bytes.readUInt32LE(begin);
    return (signed ? this.bytes.readInt32LE(begin + 4) : this.bytes.readUInt32LE(begin + 4)) * 2 ** 32 + low;
  }

  /** @throws Error where the bytes are not UTF-8: replaced characters would make one id of several */
  string(length: number): string {
    const begin = this.take(length);
    const { bytes, position } = this;
    let all = 0;
    for (let i = begin; i < position; i++) all |= bytes[i] as number;
    return all < 128 ? bytes.toString("latin1", begin, position) : strictUtf8.decode(bytes.subarray(begin, position));
  }

  #readVarint(): void {
    let [low, middle, high] = [0, 0, 0];
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      const seven = byte & 127;
      if (shift < 28) low += seven << shift;
      else if (shift < 56) middle += seven << (shift - 28);
      else high += seven * 2 ** (shift - 56);
      if (byte < 128) break;
      if (shift === 63) throw new Error("a number of more than ten bytes");
    }
    this.#low = low;
    this.#middle = middle;
    this.#high = high % 256;
  }
}
