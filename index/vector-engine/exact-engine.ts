import { KindredError } from "../../schemas/errors.js";
import type { Generation } from "../../schemas/ids.js";
import type { Metric, SearchOptions, SearchResult, VectorBatch, VectorEngine } from "../../schemas/ports/read-model.js";
import { checkDims, checkOptions, checkQuery, checkVectorBatch } from "./search-arguments.js";

export interface ExactEngineSettings {
  /** 1..4096 */
  readonly dims: number;
  readonly metric: Metric;
  readonly generation: Generation;
}

/**
 * Brute force in plain TypeScript: every search looks at every vector, in doubles. An oracle of the tests,
 * that no server runs; a search costs O(size * dims) on the calling thread.
 */
export class ExactEngine implements VectorEngine {
  readonly dims: number;
  readonly metric: Metric;
  readonly generation: Generation;
  readonly #vectors = new Map<number, Float32Array>();
  #closed = false;

  constructor(settings: ExactEngineSettings) {
    checkDims(settings.dims);
    this.dims = settings.dims;
    this.metric = settings.metric;
    this.generation = settings.generation;
  }

  get size(): number {
    return this.#vectors.size;
  }

  upsert(batch: VectorBatch): void {
    this.#checkOpen();
    checkVectorBatch(batch, this.dims);
    batch.ordinals.forEach((ordinal, row) => {
      const vector = batch.vectors.slice(row * this.dims, (row + 1) * this.dims);
      const length = Math.sqrt(dot(vector, vector));
      if (length === 0) this.#vectors.delete(ordinal);
      else this.#vectors.set(ordinal, this.metric === "cosine" ? vector.map((x) => x / length) : vector);
    });
  }

  remove(ordinals: Uint32Array): void {
    this.#checkOpen();
    for (const ordinal of ordinals) this.#vectors.delete(ordinal);
  }

  vector(ordinal: number): Float32Array | undefined {
    return this.#vectors.get(ordinal)?.slice();
  }

  async search(query: Float32Array, options: SearchOptions): Promise<SearchResult> {
    this.#checkOpen();
    checkQuery(query, this.dims);
    checkOptions(options);
    const exclude = new Set(options.exclude);
    const allow = options.allow && new Set(options.allow);
    const found: { ordinal: number; score: number }[] = [];
    const length = Math.sqrt(dot(query, query));
    // A query of zeros has no direction, and finds nothing.
    if (length === 0) return { ordinals: new Uint32Array(0), scores: new Float32Array(0), degraded: false };
    const scale = this.metric === "cosine" ? 1 / length : 1;
    for (const [ordinal, vector] of this.#vectors) {
      if (exclude.has(ordinal) || allow?.has(ordinal) === false) continue;
      found.push({ ordinal, score: Math.fround(dot(query, vector) * scale) });
    }
    found.sort((a, b) => b.score - a.score || a.ordinal - b.ordinal);
    found.length = Math.min(found.length, options.k);
    return { ordinals: Uint32Array.from(found, (x) => x.ordinal), scores: Float32Array.from(found, (x) => x.score), degraded: false };
  }

  async searchFrom(ordinal: number, options: SearchOptions): Promise<SearchResult> {
    checkOptions(options);
    const vector = this.vector(ordinal);
    return vector === undefined
      ? { ordinals: new Uint32Array(0), scores: new Float32Array(0), degraded: false }
      : this.search(vector, options);
  }

  searchExact(query: Float32Array, options: SearchOptions): Promise<SearchResult> {
    return this.search(query, options);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#vectors.clear();
  }

  #checkOpen(): void {
    if (this.#closed) throw new KindredError("INVALID_ARGUMENT", "the engine is closed");
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
