import { setImmediate as nextTurn } from "node:timers/promises";
import { KindredError } from "../../schemas/errors.js";
import type { Generation } from "../../schemas/ids.js";
import type { Metric, SearchOptions, SearchResult, VectorBatch, VectorEngine } from "../../schemas/ports/read-model.js";
import { FaissNodeGraph, type PlacedRow } from "./faiss-node-graph.js";
import type { FaissNode } from "./faiss-node-package.js";
import { checkOptions, checkQuery } from "./search-arguments.js";

export interface FaissNodeSettings {
  /** Links per node, 4..64; 32 by default. */
  readonly m?: number;
  /** Breadth of walks that name none, 1..10,000; 128 by default. */
  readonly ef?: number;
  /** Rows from which on there is a graph; 10,000 by default. */
  readonly minGraphRows?: number;
  /** New and moved rows, and their share of all, above which they are placed. 20,000 and .2 by default. */
  readonly freshCap?: number;
  readonly freshShare?: number;
  /** Who moves below this cosine to the vector in the graph counts as moved. .9 by default. */
  readonly driftCosine?: number;
  /** recall@50 of the graph on rows of its own, against an exact scan, below which it is not walked. .9 by default. */
  readonly minRecall?: number;
  /** Below so many rows for each unit of breadth all are scanned exactly: as fast there. 100 by default, 0 for never. */
  readonly scanRowsPerEf?: number;
  /** Told once when the graph could not be made: it is not tried again, and all searches scan. */
  readonly onError?: (error: unknown) => void;
  /** Told each time the graph has got what was due and was measured. */
  readonly onPlaced?: (stats: FaissNodeStats) => void;
}

export interface FaissNodeStats {
  /** Of the graph. */
  readonly nodes: number;
  /** Nodes of those that lead to nobody any more. */
  readonly dead: number;
  /** Rows scanned beside it. */
  readonly fresh: number;
  /** As it was measured when it last had got what was due; undefined before. Below the limit all searches scan. */
  readonly recall: number | undefined;
}

const DEFAULTS = {
  m: 32,
  ef: 128,
  minGraphRows: 10_000,
  freshCap: 20_000,
  freshShare: 0.2,
  driftCosine: 0.9,
  minRecall: 0.9,
  scanRowsPerEf: 100,
};
/** A broader walk would hold up the thread for more than some 5 ms; a scan does not. */
const MOST_BREADTH = 2_000;
/** recall@k of a graph is measured with so many of its rows. */
const SAMPLES = 48;
const SAMPLE_K = 50;
/** Rows placed in one go: some 5 ms, for which the thread does nothing else. */
const ROWS_A_STEP = 16;
/** Between two steps, so that the thread's own work comes first. */
const REST_MS = 5;
/** A deadline is above 0; that of a search whose walk took it all is this. */
const SHORTEST_MS = 0.001;
/** Fewer dead nodes are no reason to make a graph anew. */
const FEW_DEAD = 1_000;

/**
 * The npm package faiss-node as an engine, for whoever insists on it. The package cannot give a vector back, replace or
 * remove one, name rows, be interrupted, or be used from two threads; so the vectors lie in an engine without a graph
 * (`vectors`), which scans exactly, and faiss-node's HNSW only proposes who may be near:
 * - An update is seen by the very next search: whoever is new or has moved is scanned exactly until the graph has them.
 * - What the graph proposes is scored on the current vectors. Nobody who was removed is found.
 * - Rows are placed a few at a time between the thread's other work; when half of the nodes are dead the graph is made anew
 *   in the same way while the old one answers. The old one's memory goes when V8 collects the object, which knows nothing of its size.
 * - A filter widens the walk by its share; where an exact scan is quicker, or the walk finds too few, all allowed are scanned.
 * - A deadline cuts exact scans, not the walk: an answer that needs only the walk comes whole, be it some ms late.
 * - Faiss places rows with a breadth of 40, which nothing can change. Where rows gather in tight groups, or by inner product
 *   where lengths differ, a part of them is never reached, however broad the walk: so the graph is measured against exact
 *   scans each time it has got what was due, and not walked below `minRecall`.
 * - With more than one OpenMP thread a walk waits for all of them to be scheduled: cli/main.cts sets OMP_NUM_THREADS.
 * - Every walk blocks the thread and leaks the query's bytes. The breadth is the number of nodes asked for.
 */
export class FaissNodeEngine implements VectorEngine {
  readonly #faiss: FaissNode;
  readonly #vectors: VectorEngine;
  readonly #settings: Required<Omit<FaissNodeSettings, "onError" | "onPlaced">> & FaissNodeSettings;
  /** New, moved or gone, and not yet looked at for the graph. */
  readonly #fresh = new Set<number>();
  #freshList: Uint32Array | undefined;
  #graph: FaissNodeGraph | undefined;
  /** The next graph while it is made, and whom it still lacks. */
  #next: { readonly graph: FaissNodeGraph; readonly missing: number[] } | undefined;
  #placing = false;
  #recall: number | undefined;
  #measuring: Promise<void> | undefined;
  #failed = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param vectors an engine that scans exactly; closed with this one */
  constructor(faiss: FaissNode, vectors: VectorEngine, settings: FaissNodeSettings = {}) {
    this.#faiss = faiss;
    this.#vectors = vectors;
    this.#settings = { ...DEFAULTS, ...settings };
    const { m, ef } = this.#settings;
    // Faiss ends the process where it cannot read its own description of an index.
    if (!Number.isInteger(m) || m < 4 || m > 64) throw new KindredError("INVALID_ARGUMENT", `m is an integer from 4 to 64, not ${m}`, "m");
    checkOptions({ k: 1, ef });
  }

  get dims(): number {
    return this.#vectors.dims;
  }

  get metric(): Metric {
    return this.#vectors.metric;
  }

  get generation(): Generation {
    return this.#vectors.generation;
  }

  get size(): number {
    return this.#vectors.size;
  }

  upsert(batch: VectorBatch): void {
    this.#vectors.upsert(batch);
    this.moved(batch.ordinals);
  }

  remove(ordinals: Uint32Array): void {
    this.#vectors.remove(ordinals);
    this.moved(ordinals);
  }

  /** The vectors of these were written or removed, here or by another thread that has `vectors` too. */
  moved(ordinals: Uint32Array): void {
    if (this.#closed || this.#failed) return;
    for (const ordinal of ordinals) this.#fresh.add(ordinal);
    this.#freshList = undefined;
    this.#schedule();
  }

  vector(ordinal: number): Float32Array | undefined {
    return this.#vectors.vector(ordinal);
  }

  async search(query: Float32Array, options: SearchOptions): Promise<SearchResult> {
    checkQuery(query, this.dims);
    checkOptions(options);
    const startedAt = performance.now();
    const allow = this.#closed ? undefined : this.#candidates(query, options);
    if (allow === undefined) return this.#vectors.search(query, options);
    const { deadlineMs, ...rest } = options;
    if (deadlineMs === undefined) return this.#vectors.search(query, { ...rest, allow });
    // Passed already: what the walk proposed is still scored, since the clock is first looked at after some 2,000 rows.
    const left = Math.max(deadlineMs - (performance.now() - startedAt), SHORTEST_MS);
    return this.#vectors.search(query, { ...rest, allow, deadlineMs: left });
  }

  async searchFrom(ordinal: number, options: SearchOptions): Promise<SearchResult> {
    const vector = this.vector(ordinal);
    return vector === undefined ? this.#vectors.searchFrom(ordinal, options) : this.search(vector, options);
  }

  searchExact(query: Float32Array, options: SearchOptions): Promise<SearchResult> {
    return this.#vectors.searchExact(query, options);
  }

  stats(): FaissNodeStats {
    return { nodes: this.#graph?.nodes ?? 0, dead: this.#graph?.dead ?? 0, fresh: this.#fresh.size, recall: this.#recall };
  }

  /** Nothing is due for the graph any more, and it is measured; works on it without rests meanwhile. */
  async settled(): Promise<void> {
    while (!this.#closed && this.#due()) {
      this.#step();
      await nextTurn();
    }
    await this.#measuring;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#fresh.clear();
    this.#graph = undefined;
    this.#next = undefined;
    await this.#vectors.close();
  }

  /** Who may be among the nearest; undefined where all are to be scanned. */
  #candidates(query: Float32Array, { k, ef = this.#settings.ef, exclude, allow }: SearchOptions): Uint32Array | undefined {
    const [graph, size] = [this.#graph, this.size];
    // Where most are not placed, or few are allowed, one scan is the quickest.
    if (
      graph === undefined ||
      (this.#recall ?? -1) < this.#settings.minRecall ||
      graph.dead === graph.nodes ||
      this.#fresh.size * 2 >= size
    )
      return undefined;
    const allowed = allow && new Set(allow);
    const denied = new Set(exclude);
    const passes = (ordinal: number): boolean => !denied.has(ordinal) && allowed?.has(ordinal) !== false;
    const enough = Math.max(k, ef);
    const share = allowed ? Math.min(1, allowed.size / size) : 1;
    let breadth = Math.ceil((enough * graph.nodes) / (graph.nodes - graph.dead) / share);
    const broadest = Math.min(MOST_BREADTH, graph.nodes - 1, size / this.#settings.scanRowsPerEf);
    for (; breadth <= broadest; breadth *= 2) {
      const near = graph.nearest(query, breadth).filter(passes);
      // Some are lost to the deny list; a half still is a walk broader than most need.
      if (near.length >= Math.max(k, enough / 2)) return this.#withFresh(near, allowed && passes);
    }
    return undefined;
  }

  #withFresh(near: readonly number[], passes: ((ordinal: number) => boolean) | undefined): Uint32Array {
    this.#freshList ??= Uint32Array.from(this.#fresh);
    const fresh = passes ? this.#freshList.filter(passes) : this.#freshList;
    const all = new Uint32Array(near.length + fresh.length);
    all.set(near);
    all.set(fresh, near.length);
    return all;
  }

  /** Whether rows wait for a graph, by the same limits as the embedded engine's rebuilds; what was begun is done to its end. */
  #due(): boolean {
    if (this.#failed) return false;
    if (this.#next) return true;
    const { minGraphRows, freshCap, freshShare } = this.#settings;
    if (this.#fresh.size === 0) this.#placing = false;
    else if (this.size >= Math.max(1, minGraphRows)) this.#placing ||= this.#fresh.size > Math.min(freshCap, freshShare * this.size);
    const { dead = 0, nodes = 0 } = this.#graph ?? {};
    return this.#placing || dead > Math.max(FEW_DEAD, nodes / 2);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#closed || !this.#due()) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#due()) this.#step();
      this.#schedule();
    }, REST_MS).unref();
  }

  #step(): void {
    try {
      if (this.#next) this.#growNext(this.#next);
      else if (this.#placing) this.#place();
      else if (this.#graph) this.#next = { graph: this.#newGraph(), missing: [...this.#graph.ordinals()] };
      if (!this.#due() && this.#graph) void this.#measureNow(this.#graph);
    } catch (error) {
      // Half a graph leads nowhere: what it has not is scanned.
      this.#failed = true;
      this.#graph = undefined;
      this.#next = undefined;
      this.#settings.onError?.(error);
    }
  }

  /** Ends without a figure where a scan fails, as it does once the engine is closed. */
  async #measure(graph: FaissNodeGraph): Promise<void> {
    try {
      const all = [...graph.ordinals()];
      let [sum, asked] = [0, 0];
      for (let i = 0; i < SAMPLES; i++) {
        const query = this.vector(all[Math.floor((i * all.length) / SAMPLES)] ?? -1);
        if (query === undefined) continue;
        const { ordinals } = await this.#vectors.searchExact(query, { k: SAMPLE_K });
        const near = new Set([...graph.nearest(query, Math.max(SAMPLE_K, this.#settings.ef)), ...this.#fresh]);
        sum += ordinals.filter((ordinal) => near.has(ordinal)).length / Math.max(1, ordinals.length);
        asked++;
      }
      // Of a graph that was replaced meanwhile nobody asks any more.
      if (asked > 0 && graph === this.#graph) this.#recall = sum / asked;
      this.#settings.onPlaced?.(this.stats());
    } catch (error) {
      if (!this.#closed) this.#settings.onError?.(error);
    } finally {
      this.#measuring = undefined;
    }
    if (!this.#closed && this.#graph !== undefined && this.#graph !== graph) await this.#measureNow(this.#graph);
  }

  #measureNow(graph: FaissNodeGraph): Promise<void> {
    this.#measuring ??= this.#measure(graph);
    return this.#measuring;
  }

  #newGraph(): FaissNodeGraph {
    return new FaissNodeGraph(this.#faiss, this.dims, this.#settings.m);
  }

  #place(): void {
    this.#graph ??= this.#newGraph();
    const rows: PlacedRow[] = [];
    for (const ordinal of this.#fresh) {
      this.#fresh.delete(ordinal);
      const vector = this.vector(ordinal);
      const placed = this.#graph.placedAt(ordinal);
      if (vector === undefined) this.#graph.forget(ordinal);
      else if (placed === undefined || this.#isFar(vector, placed)) rows.push({ ordinal, vector });
      if (rows.length >= ROWS_A_STEP) break;
    }
    this.#freshList = undefined;
    this.#graph.add(rows);
  }

  #growNext({ graph, missing }: { graph: FaissNodeGraph; missing: number[] }): void {
    const rows = missing.splice(-ROWS_A_STEP).flatMap((ordinal) => {
      const vector = this.vector(ordinal);
      return vector === undefined ? [] : [{ ordinal, vector }];
    });
    graph.add(rows);
    if (missing.length > 0) return;
    this.#graph = graph;
    this.#next = undefined;
    // Not walked before it is measured.
    this.#recall = undefined;
  }

  /** Between unit vectors: a cosine below the limit. Where length counts, a change of it counts as much. */
  #isFar(vector: Float32Array, placed: Float32Array): boolean {
    let [apart, length] = [0, 0];
    for (let d = 0; d < vector.length; d++) {
      apart += ((vector[d] as number) - (placed[d] as number)) ** 2;
      length += (placed[d] as number) ** 2;
    }
    return apart > 2 * (1 - this.#settings.driftCosine) * length;
  }
}
