import type { GenerationRef, ItemVectors } from "../schemas/catalogue.js";
import type { Generation } from "../schemas/ids.js";
import type { ItemTable } from "./item-table.js";
import { OrdinalCache } from "./ordinal-cache.js";

/** Bytes of quantised item vectors kept a generation: 131,072 items of 128 dimensions. */
const VECTOR_CACHE_BYTES = 32 << 20;

/**
 * One generation's mean-pooled vectors of users: sums of effective weight x quantised item vector, held exactly
 * (|sum| <= 1,024 items x 2^27 x 2^15 = 2^52). Mean = sum(w v) / sum|w|.
 */
export class PooledSpace {
  readonly generation: Generation;
  readonly dims: number;
  readonly #vectors: OrdinalCache<Int16Array>;

  constructor(ref: GenerationRef, source: ItemVectors, items: ItemTable) {
    this.generation = ref.generation;
    this.dims = ref.dims;
    this.#vectors = new OrdinalCache<Int16Array>(
      (n) => new Int16Array(n),
      ref.dims,
      VECTOR_CACHE_BYTES,
      (ordinal, values, at) => {
        const vector = source.vector(items.id(ordinal));
        if (vector !== undefined) values.set(vector, at);
        return vector !== undefined;
      },
    );
  }

  /** Adds `change` x the item's vector to the sums f64[at .. at + dims - 1]; nothing where the model has no vector for it. */
  add(f64: Float64Array, at: number, ordinal: number, change: number): void {
    const from = this.#vectors.at(ordinal);
    if (from < 0) return;
    const vectors = this.#vectors.values;
    const dims = this.dims;
    for (let d = 0; d < dims; d++) f64[at + d] = (f64[at + d] as number) + change * (vectors[from + d] as number);
  }

  /** Writes the mean into target[to .. to + dims - 1]; zeros (no vector) where the total weight is zero. */
  writeMean(f64: Float64Array, at: number, totalWeight: number, target: Float32Array, to: number): void {
    if (totalWeight === 0) {
      target.fill(0, to, to + this.dims);
      return;
    }
    for (let d = 0; d < this.dims; d++) target[to + d] = (f64[at + d] as number) / totalWeight;
  }
}
