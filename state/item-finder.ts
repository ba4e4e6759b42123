import type { ItemId } from "../schemas/ids.js";
import { ItemIdBytes } from "./item-id-bytes.js";
import type { ItemTable } from "./item-table.js";

const FIRST_SLOTS = 4096;

/**
 * Items by the bytes of their ids. Most ids of a row are known: to make text of each, and to look that up, would take half of the
 * time of a restore. About 40 bytes an item beside the table's own.
 */
export class ItemFinder {
  readonly #ids: ItemIdBytes;
  /** Ordinal + 1 of who has a slot; 0 = nobody. Linear probing, at most half full. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #hashes = new Uint32Array(FIRST_SLOTS);
  #count = 0;

  constructor(private readonly items: ItemTable) {
    this.#ids = new ItemIdBytes(items);
  }

  /** The number of the item whose id in UTF-8 is bytes[from .. to - 1]; a new one where it was not met before. */
  ordinal(bytes: Buffer, from: number, to: number): number {
    const hash = hashOf(bytes, from, to);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let held = this.#slots[slot] as number; held !== 0; held = this.#slots[slot] as number) {
      if (this.#hashes[slot] === hash && this.#ids.equals(held - 1, bytes, from, to)) return held - 1;
      slot = (slot + 1) & mask;
    }
    const ordinal = this.items.ordinal(bytes.toString("utf8", from, to) as ItemId);
    // Bytes that are no UTF-8 give a text that has others.
    if (this.#ids.equals(ordinal, bytes, from, to)) this.#add(slot, hash, ordinal);
    return ordinal;
  }

  #add(slot: number, hash: number, ordinal: number): void {
    this.#slots[slot] = ordinal + 1;
    this.#hashes[slot] = hash;
    this.#count += 1;
    if (2 * this.#count > this.#slots.length) this.#grow();
  }

  #grow(): void {
    const [slots, hashes] = [this.#slots, this.#hashes];
    this.#slots = new Uint32Array(2 * slots.length);
    this.#hashes = new Uint32Array(2 * slots.length);
    const mask = this.#slots.length - 1;
    slots.forEach((held, i) => {
      if (held === 0) return;
      const hash = hashes[i] as number;
      let slot = hash & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = held;
      this.#hashes[slot] = hash;
    });
  }
}

/** FNV-1a (Fowler, Noll, Vo), its bits mixed once more, since slots go by the lowest. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
