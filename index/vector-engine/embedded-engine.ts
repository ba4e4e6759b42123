import {
  attachVectorIndex,
  createVectorIndex,
  type NativeIndexStats,
  type NativeMeasuredRecall,
  type NativeSearchResult,
  type NativeVectorIndex,
} from "../../native/vector-index.js";
import { KindredError } from "../../schemas/errors.js";
import type { Generation } from "../../schemas/ids.js";
import type { Metric, SearchOptions, SearchResult, VectorBatch, VectorEngine } from "../../schemas/ports/read-model.js";
import { translated, translatedAsync } from "../native-errors.js";
import { checkDims, checkOptions, checkQuery, checkVectorBatch, MAX_EF } from "./search-arguments.js";
import { type BuildSettings, StagedShard } from "./staged-shard.js";

export interface EmbeddedEngineSettings {
  /** 1..4096 */
  readonly dims: number;
  readonly metric: Metric;
  readonly generation: Generation;
  /** 1..255, by a hash of the ordinal; 1 by default. Each has a graph of its own, and a swap needs the memory of one. */
  readonly shards?: number;
  /** How vectors are kept; float32 by default. float16 halves the memory, scores then hold for the rounded vectors. */
  readonly storage?: "float32" | "float16";
  /** Who moves below this cosine to the vector in the graph is scanned exactly until the next build. .9 by default. */
  readonly driftCosine?: number;
  /** Default breadth of the walk, 1..10,000; 128 by default. */
  readonly ef?: number;
  /** Below so many rows for each unit of ef all are scanned exactly: as fast there. 100 by default, 0 for never. */
  readonly scanRowsPerEf?: number;
  /**
   * Under inner product: this share of the rows, the longest, is scanned before a graph is walked; the walk is left out where soon no
   * shorter row can enter any more. 1/32 by default, 0 for never.
   */
  readonly longestShare?: number;
}

/**
 * The engine of a single machine: vectors in the addon's process-wide memory, replaced in place, under graphs that only
 * navigate. Searches run on libuv's pool and never wait for upserts or swaps. One engine is created, others attach to it
 * by handle from any worker thread; the memory goes when the last of them was closed.
 * What changes it (upsert, remove, publishing) comes from one thread by convention, and is safe from several.
 */
export class EmbeddedEngine implements VectorEngine {
  readonly dims: number;
  readonly metric: Metric;
  readonly generation: Generation;
  readonly shards: number;
  readonly storage: "float32" | "float16";
  /** For `attach` in another thread, while this engine is open. */
  readonly handle: number;
  readonly #index: NativeVectorIndex;
  #closed = false;

  private constructor(index: NativeVectorIndex) {
    const { dims, metric, generation, shards, storage } = index.options;
    this.dims = dims;
    this.metric = metric;
    this.generation = generation as Generation;
    this.shards = shards;
    this.storage = storage;
    this.handle = index.handle;
    this.#index = index;
  }

  /** @throws KindredError INVALID_ARGUMENT, ADDON_MISSING */
  static create(settings: EmbeddedEngineSettings): EmbeddedEngine {
    checkDims(settings.dims);
    const { shards = 1, storage = "float32", driftCosine = 0.9, ef = 128, scanRowsPerEf = 100 } = settings;
    return translated(() => new EmbeddedEngine(createVectorIndex({ ...settings, shards, storage, driftCosine, ef, scanRowsPerEf })));
  }

  /** @throws KindredError INVALID_ARGUMENT where no engine of this process is open with the handle */
  static attach(handle: number): EmbeddedEngine {
    return translated(() => new EmbeddedEngine(attachVectorIndex(handle)));
  }

  get size(): number {
    return this.#index.size;
  }

  /** Breadth of walks that name none. Shared by all who are attached. */
  get ef(): number {
    return translated(() => this.#index.defaultEf);
  }

  set ef(ef: number) {
    if (!Number.isInteger(ef) || ef < 1 || ef > MAX_EF)
      throw new KindredError("INVALID_ARGUMENT", `ef is an integer from 1 to ${MAX_EF}, not ${ef}`, "ef");
    translated(() => {
      this.#index.defaultEf = ef;
    });
  }

  upsert(batch: VectorBatch): void {
    checkVectorBatch(batch, this.dims);
    translated(() => this.#index.upsert(batch.ordinals, batch.vectors));
  }

  remove(ordinals: Uint32Array): void {
    translated(() => this.#index.remove(ordinals));
  }

  vector(ordinal: number): Float32Array | undefined {
    return translated(() => this.#index.vector(ordinal));
  }

  search(query: Float32Array, options: SearchOptions): Promise<SearchResult> {
    return this.#search(query, options, false);
  }

  searchFrom(ordinal: number, options: SearchOptions): Promise<SearchResult> {
    return this.#search(ordinal, options, false);
  }

  searchExact(query: Float32Array, options: SearchOptions): Promise<SearchResult> {
    return this.#search(query, options, true);
  }

  /**
   * Many searches in one call, with the same options.
   * @param queries row-major, count x dims
   */
  async searchMany(queries: Float32Array, options: SearchOptions): Promise<SearchResult[]> {
    checkOptions(options);
    if (queries.length === 0) return [];
    const result = await translatedAsync(() => this.#call(queries, options, false));
    let at = 0;
    return Array.from(result.counts, (count) => {
      const from = at;
      at += count;
      return { ordinals: result.ordinals.slice(from, at), scores: result.scores.slice(from, at), degraded: result.degraded };
    });
  }

  /**
   * A shard's next graph from a frozen copy of its vectors, on a thread of low priority; one at a time for each shard.
   * @throws KindredError NOT_READY where the engine was closed meanwhile, INVALID_ARGUMENT where the shard is empty or being built
   */
  async stage(shard: number, settings: BuildSettings = {}): Promise<StagedShard> {
    const { m = 16, efConstruction = 80, seed = 1 } = settings;
    const staged = await translatedAsync(() => this.#index.build(shard, m, efConstruction, seed));
    if (staged === undefined) throw new KindredError("NOT_READY", "the engine was closed while a shard was built");
    return new StagedShard(this.#index, staged, shard);
  }

  /**
   * recall@k of searches as they come, on a sample of the newest queries that were in no measurement yet (filled up with
   * stored vectors) against exact scans, at low priority; undefined where there is nothing to ask.
   */
  async measureRecall(samples = 64, k = 50, options: { ef?: number; seed?: number } = {}): Promise<NativeMeasuredRecall | undefined> {
    const measured = await translatedAsync(() => this.#index.measureRecall(samples, k, options.ef ?? 0, options.seed ?? 1));
    return measured.recall < 0 ? undefined : measured;
  }

  stats(): NativeIndexStats {
    return translated(() => this.#index.stats());
  }

  /** Who has a vector, as a frozen copy of the shards says. */
  async ordinals(): Promise<Uint32Array> {
    const shards = await translatedAsync(() => Promise.all(Array.from({ length: this.shards }, (_, shard) => this.#index.freeze(shard))));
    const all = new Uint32Array(shards.reduce((sum, { ordinals }) => sum + ordinals.length, 0));
    let at = 0;
    for (const { ordinals } of shards) {
      all.set(ordinals, at);
      at += ordinals.length;
    }
    return all;
  }

  /** For the files of the engine, see ../shards/shard-files.ts. */
  get native(): NativeVectorIndex {
    return this.#index;
  }

  get closed(): boolean {
    return this.#closed;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#index.close();
  }

  async #search(query: Float32Array | number, options: SearchOptions, exact: boolean): Promise<SearchResult> {
    if (typeof query !== "number") checkQuery(query, this.dims);
    checkOptions(options);
    const { ordinals, scores, degraded } = await translatedAsync(() => this.#call(query, options, exact));
    return { ordinals, scores, degraded };
  }

  #call(query: Float32Array | number, options: SearchOptions, exact: boolean): Promise<NativeSearchResult> {
    return this.#index.search(query, options.k, options.ef ?? 0, options.exclude, options.allow, options.deadlineMs ?? 0, exact);
  }
}
