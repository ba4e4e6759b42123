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
    // Eight at a time: the loop's own work costs as much as one of these.
    const whole = at + (dims & ~7);
    let [to, v] = [at, from];
    for (; to < whole; to += 8, v += 8) {
      f64[to] = (f64[to] as number) + change * (vectors[v] as number);
      f64[to + 1] = (f64[to + 1] as number) + change * (vectors[v + 1] as number);
      f64[to + 2] = (f64[to + 2] as number) + change * (vectors[v + 2] as number);
      f64[to + 3] = (f64[to + 3] as number) + change * (vectors[v + 3] as number);
      f64[to + 4] = (f64[to + 4] as number) + change * (vectors[v + 4] as number);
      f64[to + 5] = (f64[to + 5] as number) + change * (vectors[v + 5] as number);
      f64[to + 6] = (f64[to + 6] as number) + change * (vectors[v + 6] as number);
      f64[to + 7] = (f64[to + 7] as number) + change * (vectors[v + 7] as number);
    }
    for (; to < at + dims; to++, v++) f64[to] = (f64[to] as number) + change * (vectors[v] as number);
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
