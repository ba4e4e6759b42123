import type { ItemTable } from "./item-table.js";

/** Bytes of an id as records have it: a varint of their number, then UTF-8. 128 UTF-16 units have at most 384. */
export const MAX_ITEM_ID_BYTES = 2 + 3 * 128;
/** Bytes behind an id that a copy may overwrite. */
export const ITEM_ID_SLACK = 3;

/**
 * Ids of a partition's items as records have them, kept by ordinal and copied a word at a time: to encode the text anew would cost more
 * than all the rest of a row. About 20 bytes an item.
 */
export class ItemIdBytes {
  #words = new Uint32Array(4096);
  #bytes = Buffer.from(this.#words.buffer);
  #used = 1;
  /** The first word of each item; 0 = not kept yet. */
  #starts = new Uint32Array(1024);

  constructor(private readonly items: ItemTable) {}

  /** Copies the id of an item, its length before it; gives the end, behind which up to ITEM_ID_SLACK bytes are overwritten. */
  copy(ordinal: number, target: DataView, at: number): number {
    let from = this.#starts[ordinal];
    if (from === undefined || from === 0) from = this.#keep(ordinal);
    const words = this.#words;
    let word = words[from] as number;
    let end = at + 1 + (word & 0xff);
    // A second byte of the length: bits 7 and up of it, where the first has 0x80 more than its own.
    if ((word & 0x80) !== 0) end += 1 - 0x80 + ((word >>> 1) & 0x7f80);
    target.setUint32(at, word, true);
    for (let to = at + 4; to < end; to += 4) {
      word = words[++from] as number;
      target.setUint32(to, word, true);
    }
    return end;
  }

  /** Whether the id of an item is bytes[from .. to - 1]. */
  equals(ordinal: number, bytes: Uint8Array, from: number, to: number): boolean {
    const start = this.#starts[ordinal];
    let at = 4 * (start === undefined || start === 0 ? this.#keep(ordinal) : start);
    const own = this.#bytes;
    let length = own[at++] as number;
    if (length >= 0x80) length = (length & 0x7f) | ((own[at++] as number) << 7);
    if (length !== to - from) return false;
    for (let i = from; i < to; i++) if (bytes[i] !== own[at++]) return false;
    return true;
  }

  #keep(ordinal: number): number {
    if (ordinal >= this.#starts.length) {
      const starts = new Uint32Array(Math.max(2 * this.#starts.length, ordinal + 1));
      starts.set(this.#starts);
      this.#starts = starts;
    }
    if (this.#used + MAX_ITEM_ID_BYTES > this.#words.length) {
      const words = new Uint32Array(2 * this.#words.length);
      words.set(this.#words);
      this.#words = words;
      this.#bytes = Buffer.from(words.buffer);
    }
    const from = this.#used;
    const id = this.items.id(ordinal);
    const length = Buffer.byteLength(id, "utf8");
    let at = this.#bytes.writeUInt8(length < 0x80 ? length : (length & 0x7f) | 0x80, 4 * from);
    if (length >= 0x80) at = this.#bytes.writeUInt8(length >>> 7, at);
    at += this.#bytes.write(id, at, "utf8");
    this.#used = Math.ceil(at / 4);
    this.#starts[ordinal] = from;
    return from;
  }
}
