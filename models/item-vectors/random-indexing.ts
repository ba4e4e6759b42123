import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { GenerationRef, ItemVectors } from "../../schemas/catalogue.js";
import { KindredError } from "../../schemas/errors.js";
import type { ItemId } from "../../schemas/ids.js";

const BLOCK_BITS = 256;

/**
 * Generation 0, which needs no training: an item's vector is +1 or -1 in each dimension by hash bits of (seed, item id).
 * A user's pooled vector is then a random projection of what the user did (Kanerva, Kristoferson, Holst, "Random indexing
 * of text samples for latent semantic analysis", CogSci 2000; +-1 entries keep distances: Achlioptas, "Database-friendly
 * random projections", JCSS 66, 2003): cosines of pooled vectors are those of the item histories, give or take 1/sqrt(dims).
 *
 * Bit d is bit (d mod 8), lowest first, of byte floor((d mod 256) / 8) of SHA-256 over
 * seed u32 LE, block u32 LE = floor(d / 256), the id in UTF-8; a set bit is +1.
 */
export class RandomIndexing implements ItemVectors {
  readonly #cache: LRUCache<ItemId, Int16Array>;

  /**
   * @param dims 8..1024
   * @param seed u32
   * @param cachedItems vectors kept, 2 bytes a dimension each; the fold keeps its own beside
   * @throws KindredError INVALID_ARGUMENT
   */
  constructor(
    readonly dims: number,
    readonly seed: number,
    cachedItems = 4096,
  ) {
    if (!Number.isInteger(dims) || dims < 8 || dims > 1024)
      throw new KindredError("INVALID_ARGUMENT", `random indexing has 8 to 1024 dimensions, not ${dims}`);
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
      throw new KindredError("INVALID_ARGUMENT", `a seed is an integer from 0 to 2^32 - 1, not ${seed}`);
    this.#cache = new LRUCache({ max: Math.max(1, cachedItems) });
  }

  static of(ref: GenerationRef): RandomIndexing {
    return new RandomIndexing(ref.dims, ref.seed);
  }

  vector(item: ItemId): Int16Array {
    const cached = this.#cache.get(item);
    if (cached !== undefined) return cached;
    const vector = new Int16Array(this.dims);
    for (let from = 0; from < this.dims; from += BLOCK_BITS) this.#fillBlock(item, from, vector);
    this.#cache.set(item, vector);
    return vector;
  }

  #fillBlock(item: ItemId, from: number, vector: Int16Array): void {
    const head = Buffer.allocUnsafe(8);
    head.writeUInt32LE(this.seed, 0);
    head.writeUInt32LE(from / BLOCK_BITS, 4);
    const bytes = createHash("sha256").update(head).update(item, "utf8").digest();
    const end = Math.min(this.dims, from + BLOCK_BITS);
    for (let d = from; d < end; d++) vector[d] = ((bytes[(d - from) >> 3] as number) >> (d & 7)) & 1 ? 1 : -1;
  }
}
