import type { ItemModel } from "../../schemas/model.js";
import { SeededRandom, sampleOf } from "../seeded-random.js";
import { TopK } from "../top-k.js";
import { hasVector, type KnownUsers } from "./known-items.js";

/** Users whose lists are made; their work is this times all items. */
const USERS = 256;
/** Length of their lists. */
export const PLACES = 20;

/** A user as lists see them: what an item must exceed to be among the first. */
export interface Reader {
  readonly pooled: Float64Array;
  readonly least: number;
}

/** Lists of some users, exactly: pooled users, and the score of the last of their list. */
export function readersOf({ input, output, items }: ItemModel, { histories, sums }: KnownUsers, seed: number): Reader[] {
  const { dims } = input;
  const able = [...histories.keys()].filter((user) => histories[user]!.length > 0);
  const found = [...items.keys()].filter((row) => hasVector(output, row));
  return Array.from(sampleOf(able.length, USERS, seed), (place) => {
    const user = able[place]!;
    const own = new Set(histories[user]!);
    const pooled = sums[user]!.map((x) => x / own.size);
    const best = new TopK(PLACES);
    for (const row of found) {
      if (own.has(row)) continue;
      let score = 0;
      for (let d = 0; d < dims; d++) score += pooled[d]! * output.values[row * dims + d]!;
      best.offer(row, score);
    }
    return { pooled, least: best.worst };
  });
}

const MOST_ITEMS = 300;
const STEPS = 20;

/**
 * By how much the deviation of items from the mean is to be drawn out so that they are in `share` of the lists, on average. A regression
 * answers nearer to the mean than the truth is, and what lies near the mean is in nobody's list.
 */
export function gainFor(
  readers: readonly Reader[],
  mean: Float64Array,
  deviations: readonly Float64Array[],
  share: number,
  seed: number,
): number {
  const random = new SeededRandom(seed);
  const some =
    deviations.length <= MOST_ITEMS ? deviations : Array.from({ length: MOST_ITEMS }, () => deviations[random.below(deviations.length)]!);
  const dot = (user: Float64Array, vector: Float64Array): number => user.reduce((sum, x, d) => sum + x * vector[d]!, 0);
  const base = readers.map(({ pooled }) => dot(pooled, mean));
  const scores = some.map((deviation) => Float64Array.from(readers, ({ pooled }) => dot(pooled, deviation)));
  const shownAt = (gain: number): number => {
    let shown = 0;
    for (const of of scores) for (const [r, score] of of.entries()) if (base[r]! + gain * score > readers[r]!.least) shown++;
    return shown / Math.max(1, scores.length * readers.length);
  };
  let [low, high] = [0.25, 8];
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (shownAt(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
