import { hash } from "node:crypto";
import type { ItemId } from "../schemas/ids.js";

/**
 * The items a partition has met, numbered densely in the order first met (stored, never sent), with what the fold
 * needs of each by number. Memory grows with the number of different items, about 150 bytes each: the vocabulary is the bound.
 */
export class ItemTable {
  readonly #ordinals = new Map<ItemId, number>();
  readonly #ids: ItemId[] = [];
  #hashes = new Uint32Array(4 * 1024);
  #hashed = new Uint8Array(1024);

  get size(): number {
    return this.#ids.length;
  }

  id(ordinal: number): ItemId {
    return this.#ids[ordinal] as ItemId;
  }

  find(item: ItemId): number | undefined {
    return this.#ordinals.get(item);
  }

  /** The item's number; a new one where it was not met before. */
  ordinal(item: ItemId): number {
    const known = this.#ordinals.get(item);
    if (known !== undefined) return known;
    const ordinal = this.#ids.length;
    this.#ordinals.set(item, ordinal);
    this.#ids.push(item);
    return ordinal;
  }

  /** Writes the first 16 bytes of SHA-256 of the id into target[at .. at + 3] (u32, big endian read). Cached: 16 bytes an item. */
  copyHash(ordinal: number, target: Uint32Array, at: number): void {
    if (ordinal >= this.#hashed.length) this.#grow(ordinal);
    const from = 4 * ordinal;
    if (this.#hashed[ordinal] === 0) {
      const hex = hash("sha256", this.id(ordinal), "hex");
      for (let word = 0; word < 4; word++) this.#hashes[from + word] = Number.parseInt(hex.slice(8 * word, 8 * word + 8), 16);
      this.#hashed[ordinal] = 1;
    }
    target[at] = this.#hashes[from] as number;
    target[at + 1] = this.#hashes[from + 1] as number;
    target[at + 2] = this.#hashes[from + 2] as number;
    target[at + 3] = this.#hashes[from + 3] as number;
  }

  #grow(ordinal: number): void {
    const size = Math.max(2 * this.#hashed.length, ordinal + 1);
    const hashes = new Uint32Array(4 * size);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const hashed = new Uint8Array(size);
    hashed.set(this.#hashed);
    this.#hashed = hashed;
  }
}
