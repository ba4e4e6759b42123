import { crc32c } from "../native/vector-index.js";
import type { ItemOrdinal } from "../schemas/ids.js";
import type { ItemInfo } from "../schemas/item.js";
import type { NewItem, ProvisionalVectors } from "../schemas/model.js";
import type { ReadModelReader } from "../schemas/ports/read-model.js";
import type { ItemBatch } from "./item-shards.js";

/** How vectors of new items are made. undefined: nothing tells the item from any other. */
export type VectorsOfNewItem = (item: NewItem) => ProvisionalVectors | undefined;

export interface NewItemsParts {
  readonly dims: number;
  readonly items: { readonly unknown: readonly number[]; upsert(batch: ItemBatch): void };
  /** Pooled users by ordinal; a row of zeros, or undefined: none. */
  readonly userVector: (ordinal: number) => Float32Array | undefined;
  readonly readModel: Pick<ReadModelReader, "itemIds" | "item" | "listenersOf">;
  readonly vectorsOf: VectorsOfNewItem;
}

/** Numbers of listeners from which on an item's vectors are made anew: more of them say less that is new. */
const LOOK_AGAIN_AT = [1, 3, 10, 30, 100] as const;

/**
 * Items that came after the model was trained: they get vectors of what is known of them, and new ones when that becomes more. Who has an item is
 * asked of the read model, so that nothing is kept here that a restart would lose, and nothing is done where events are folded.
 */
export class NewItems {
  /** Of each item that has vectors of ours, what they were made of: listeners and a checksum of its side information. */
  readonly #madeOf = new Map<number, number>();
  readonly #given = new Set<number>();
  /** Those before it were looked at once; the others are looked at first. */
  #met = 0;
  /** Where the next round over those that were met goes on. */
  #next = 0;

  constructor(private readonly parts: NewItemsParts) {}

  /** Looks at so many items, new ones first, the others in turn. @returns how many got vectors */
  look(most: number): number {
    const { unknown } = this.parts.items;
    const ordinals: number[] = [];
    while (this.#met < unknown.length && ordinals.length < most) ordinals.push(unknown[this.#met++] as number);
    for (let looked = 0; looked < this.#met && ordinals.length < most; looked++) {
      ordinals.push(unknown[this.#next % this.#met] as number);
      this.#next = (this.#next + 1) % this.#met;
    }
    return this.#give([...new Set(ordinals)]);
  }

  #give(ordinals: readonly number[]): number {
    const { dims, items, readModel } = this.parts;
    const ids = readModel.itemIds(Uint32Array.from(ordinals));
    const given: { ordinal: number; vectors: ProvisionalVectors | undefined }[] = [];
    for (const [i, ordinal] of ordinals.entries()) {
      const record = readModel.item(ids[i]!);
      if (record === undefined) continue;
      const listeners = LOOK_AGAIN_AT.filter((least) => least <= record.users).at(-1) ?? 0;
      const madeOf = listeners * 2 ** 32 + (record.infoJson === null ? 0 : crc32c(Buffer.from(record.infoJson)));
      if (this.#madeOf.get(ordinal) === madeOf) continue;
      this.#madeOf.set(ordinal, madeOf);
      const vectors = this.#vectorsOf(ordinal as ItemOrdinal, listeners, record.infoJson);
      // What nothing speaks for any more (its listeners were erased) is no longer found.
      if (vectors !== undefined || this.#given.has(ordinal)) given.push({ ordinal, vectors });
      if (vectors === undefined) this.#given.delete(ordinal);
      else this.#given.add(ordinal);
    }
    if (given.length === 0) return 0;
    const batch = {
      ordinals: Uint32Array.from(given, ({ ordinal }) => ordinal),
      outputs: new Float32Array(given.length * dims),
      inputs: new Float32Array(given.length * dims),
    };
    for (const [i, { vectors }] of given.entries()) {
      if (vectors === undefined) continue;
      batch.outputs.set(vectors.output, i * dims);
      batch.inputs.set(vectors.input, i * dims);
    }
    items.upsert(batch);
    return given.length;
  }

  #vectorsOf(ordinal: ItemOrdinal, listeners: number, infoJson: string | null): ProvisionalVectors | undefined {
    const { readModel, userVector, vectorsOf } = this.parts;
    const { creators, tags } = infoJson === null ? {} : (JSON.parse(infoJson) as Partial<ItemInfo>);
    const pooled = [...readModel.listenersOf(ordinal, listeners)]
      .map((user) => userVector(user))
      .filter((vector) => vector?.some((x) => x !== 0) === true);
    return vectorsOf({ listeners: pooled as Float32Array[], ...(creators && { creators }), ...(tags && { tags }) });
  }
}
