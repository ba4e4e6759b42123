import { setImmediate } from "node:timers/promises";
import { TopK } from "../top-k.js";
import { CANDIDATE_STEP, padded, QUERY_STEP, scoreFour } from "./score-block.js";

/** What is ranked: vectors made when they are needed, so that they need not all be in memory. */
export interface Candidates {
  readonly dims: number;
  /** Numbers that lists hold, strictly ascending; the place in it is what `fill` is asked for. */
  readonly rows: Uint32Array;
  /** Writes the vector of rows[place] at `at`. */
  fill(place: number, target: Float64Array, at: number): void;
}

/** For whom: query 0 to count - 1. */
export interface Queries {
  readonly count: number;
  /** Writes the query's vector at `at`; false where it has none, and nothing is ranked for it. */
  fill(query: number, target: Float64Array, at: number): boolean;
  /** Rows that must not be in the query's list, ascending. */
  masked(query: number): Uint32Array;
}

export interface RankOptions {
  readonly k: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** `rows[0 .. count)` are the best, best first; both arrays are used again for the next query. */
export type OnList = (query: number, rows: Uint32Array, count: number, scores: Float64Array) => void;

const BATCH = 256;
const BLOCK = 128;

/**
 * Exact lists of the k best candidates of every query by dot product; of equal scores the lower row first. Memory is that of one batch
 * of queries and one block of candidates. Between batches others get their turn, and `signal` ends it with its reason.
 */
export async function rankAll(queries: Queries, candidates: Candidates, options: RankOptions, onList: OnList): Promise<void> {
  const { dims } = candidates;
  const vectors = new Float64Array(BATCH * dims);
  const block = new Float64Array(padded(BLOCK, CANDIDATE_STEP) * dims);
  const scores = new Float64Array(QUERY_STEP * padded(BLOCK, CANDIDATE_STEP));
  const lists = Array.from({ length: BATCH }, () => new TopK(options.k));
  const rows = new Uint32Array(options.k);
  const best = new Float64Array(options.k);
  for (let from = 0; from < queries.count; from += BATCH) {
    options.signal?.throwIfAborted();
    const count = Math.min(BATCH, queries.count - from);
    const known = fillQueries(queries, from, count, vectors, dims);
    const masks = Array.from({ length: count }, (_, i) => queries.masked(from + i));
    for (let place = 0; place < candidates.rows.length; place += BLOCK) {
      const width = fillBlock(candidates, place, block);
      for (let q = 0; q < count; q += QUERY_STEP) {
        scoreFour(vectors, q, block, width, dims, scores);
        for (let i = q; i < Math.min(q + QUERY_STEP, count); i++)
          if (known[i]) offerBlock(lists[i]!, candidates.rows, place, scores, (i - q) * width, masks[i]!);
      }
    }
    for (let i = 0; i < count; i++) onList(from + i, rows, lists[i]!.take(rows, best), best);
    options.onProgress?.(from + count, queries.count);
    await setImmediate();
  }
}

function fillQueries(queries: Queries, from: number, count: number, vectors: Float64Array, dims: number): boolean[] {
  vectors.fill(0);
  return Array.from({ length: count }, (_, i) => queries.fill(from + i, vectors, i * dims));
}

/** How many columns of scores the block has, padding and all. */
function fillBlock(candidates: Candidates, place: number, block: Float64Array): number {
  const count = Math.min(BLOCK, candidates.rows.length - place);
  const width = padded(count, CANDIDATE_STEP);
  if (width > count) block.fill(0, count * candidates.dims, width * candidates.dims);
  for (let c = 0; c < count; c++) candidates.fill(place + c, block, c * candidates.dims);
  return width;
}

function offerBlock(list: TopK, rows: Uint32Array, place: number, scores: Float64Array, at: number, masked: Uint32Array): void {
  const count = Math.min(BLOCK, rows.length - place);
  for (let c = 0; c < count; c++) {
    const score = scores[at + c]!;
    // Few get past this, so a look-up in the mask is rare.
    if (score > list.worst && !includes(masked, rows[place + c]!)) list.offer(rows[place + c]!, score);
  }
}

/** Whether an ascending array holds a number. */
export function includes(sorted: Uint32Array, value: number): boolean {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === value;
}
