import type { ItemTable } from "./item-table.js";

/** Bytes of an id are given as a varint of their number, then UTF-8: 128 UTF-16 units have at most 384. */
export const MAX_ITEM_ID_BYTES = 2 + 3 * 128;

/** Ids of a partition's items as records have them, kept by ordinal: bytes copied are much cheaper than text encoded. About 20 bytes an item. */
export class ItemIdBytes {
  #bytes = Buffer.allocUnsafeSlow(16 << 10);
  #used = 0;
  /** Where each item begins, plus 1; 0 = not kept yet. */
  #starts = new Float64Array(1024);

  constructor(private readonly items: ItemTable) {}

  /** Copies the id of an item, its length before it; gives the end. */
  copy(ordinal: number, target: Uint8Array, at: number): number {
    const start = this.#starts[ordinal];
    let from = start === undefined || start === 0 ? this.#keep(ordinal) : start - 1;
    const bytes = this.#bytes;
    // Ids are short: a call into the engine for each costs more than the bytes one by one.
    let length = bytes[from++] as number;
    target[at++] = length;
    if (length >= 0x80) {
      const high = bytes[from++] as number;
      target[at++] = high;
      length = (length & 0x7f) | (high << 7);
    }
    for (let i = 0; i < length; i++) target[at + i] = bytes[from + i] as number;
    return at + length;
  }

  #keep(ordinal: number): number {
    if (ordinal >= this.#starts.length) {
      const starts = new Float64Array(Math.max(2 * this.#starts.length, ordinal + 1));
      starts.set(this.#starts);
      this.#starts = starts;
    }
    if (this.#used + MAX_ITEM_ID_BYTES > this.#bytes.length) {
      const bytes = Buffer.allocUnsafeSlow(2 * this.#bytes.length);
      bytes.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = bytes;
    }
    const from = this.#used;
    const id = this.items.id(ordinal);
    const length = Buffer.byteLength(id, "utf8");
    this.#used = this.#bytes.writeUInt8(length < 0x80 ? length : (length & 0x7f) | 0x80, this.#used);
    if (length >= 0x80) this.#used = this.#bytes.writeUInt8(length >>> 7, this.#used);
    this.#used += this.#bytes.write(id, this.#used, "utf8");
    this.#starts[ordinal] = from + 1;
    return from;
  }
}
