import { SeededRandom } from "../seeded-random.js";
import type { QueryValues } from "./list-metrics.js";
import { includes } from "./rank-all.js";
import type { Ranker } from "./ranker.js";
import type { SharedRows } from "./shared-rows.js";

/** Items that those wanted are held against, a user. */
const DRAWN = 200;

export interface AucOptions {
  readonly seed: number;
  readonly signal?: AbortSignal;
}

/**
 * That an item which a user went on to scores above one that it did not, ties a half: AUC by user, its mean over users is GAUC. Each user's
 * others are drawn by the seed from all items of train and test but its own, the same for each model, since all of them would
 * be a score for each item and user. An item without a vector scores below all others; who has no vector is asked nothing and has a half.
 */
export function userAuc(ranker: Ranker, shared: SharedRows, { seed, signal }: AucOptions): QueryValues {
  const { dims, rows, fill } = ranker.candidates;
  const placeOf = new Int32Array(shared.items.length).fill(-1);
  for (const [place, row] of rows.entries()) placeOf[row] = place;
  const [user, item] = [new Float64Array(dims), new Float64Array(dims)];
  const score = (row: number): number => {
    if (placeOf[row]! < 0) return Number.NEGATIVE_INFINITY;
    fill(placeOf[row]!, item, 0);
    let sum = 0;
    for (let d = 0; d < dims; d++) sum += user[d]! * item[d]!;
    return sum;
  };
  const values = Float64Array.from(shared.tested, (tested, query) => {
    // A thousand users are a few milliseconds.
    if (query % 1024 === 0) signal?.throwIfAborted();
    const history = shared.histories[tested]!;
    const wanted = shared.wanted[query]!.filter((row) => !includes(history, row));
    const others = othersOf(shared, history, shared.wanted[query]!, new SeededRandom(seed + tested));
    if (wanted.length === 0 || others.length === 0) return Number.NaN;
    if (!ranker.pool(history, user, 0)) return 0.5;
    return aucOf(Float64Array.from(wanted, score), Float64Array.from(others, score));
  });
  return new Map([["auc", values]]);
}

/** Fewer where nearly all items are the user's. */
function othersOf({ known }: SharedRows, history: Uint32Array, wanted: Uint32Array, random: SeededRandom): number[] {
  const others: number[] = [];
  for (let draws = 0; others.length < DRAWN && draws < 10 * DRAWN; draws++) {
    const row = random.below(known);
    if (!includes(history, row) && !includes(wanted, row)) others.push(row);
  }
  return others;
}

/** That a positive scores above a negative, ties a half (Mann and Whitney). */
export function aucOf(positives: Float64Array, negatives: Float64Array): number {
  const [high, low] = [positives.slice().sort(), negatives.slice().sort()];
  let [below, notAbove, wins] = [0, 0, 0];
  for (const score of high) {
    while (below < low.length && low[below]! < score) below++;
    while (notAbove < low.length && low[notAbove]! <= score) notAbove++;
    wins += (below + notAbove) / 2;
  }
  return wins / (high.length * low.length);
}
