import type { ItemModel } from "../../schemas/model.js";
import type { QueryValues } from "./list-metrics.js";
import { type Candidates, type Queries, rankAll } from "./rank-all.js";
import { itemsToItems, type Ranker } from "./ranker.js";
import { sampleOf } from "./seeded-random.js";
import { listenersOf, type SharedRows } from "./shared-rows.js";
import { TopK } from "./top-k.js";

export interface NeighbourOptions {
  readonly k: number;
  /** Users asked for, drawn by the seed; all where there are no more. */
  readonly users: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
}

/** Users with a history, as numbers of `shared.users`; of them, who is asked for. */
function asked({ histories }: SharedRows, { users, seed }: NeighbourOptions): { all: Uint32Array; some: Uint32Array } {
  const all = Uint32Array.from(histories.keys()).filter((user) => histories[user]!.length > 0);
  return { all, some: sampleOf(all.length, users, seed).map((place) => all[place]!) };
}

/** Pooled users by cosine, as u2u recalls; users without a vector of the model are near nobody. */
export function usersByCosine(model: ItemModel, shared: SharedRows): Ranker {
  return pooledUsers(itemsToItems(model, shared), shared);
}

/** Users pooled as `items` pools, each made when it is asked for: a million of them need not be in memory. */
function pooledUsers(items: Ranker, { histories }: SharedRows): Ranker {
  const { dims } = items.candidates;
  const spare = new Float64Array(dims);
  const rows = Uint32Array.from(histories.keys()).filter((user) => items.pool(histories[user]!, spare, 0));
  const candidates: Candidates = { dims, rows, fill: (place, target, at) => void items.pool(histories[rows[place]!]!, target, at) };
  return { candidates, pool: items.pool };
}

/**
 * What the k users nearest to a user have in common with it: the mean Jaccard of their train items with its own, places that stayed empty
 * count as 0. Held against `exactJaccard`, the most that any k can have.
 */
export async function neighbourJaccard(ranker: Ranker, shared: SharedRows, options: NeighbourOptions): Promise<QueryValues> {
  const { some } = asked(shared, options);
  const { histories } = shared;
  const values = new Float64Array(some.length);
  const queries: Queries = {
    count: some.length,
    fill: (q, target, at) => ranker.pool(histories[some[q]!]!, target, at),
    masked: (q) => some.subarray(q, q + 1),
  };
  await rankAll(queries, ranker.candidates, options, (q, list, count) => {
    const own = histories[some[q]!]!;
    for (let i = 0; i < count; i++) values[q]! += jaccard(own, histories[list[i]!]!) / options.k;
  });
  return new Map([[`jaccard@${options.k}`, values]]);
}

/** The same of the k users with the largest Jaccard, found by counting over the listeners of each item. */
export function exactJaccard(shared: SharedRows, options: NeighbourOptions): QueryValues {
  const { some } = asked(shared, options);
  const { histories } = shared;
  const { starts, users } = listenersByItem(shared);
  const common = new Uint32Array(histories.length);
  const [rows, scores, best] = [new Uint32Array(options.k), new Float64Array(options.k), new TopK(options.k)];
  const values = Float64Array.from(some, (user) => {
    options.signal?.throwIfAborted();
    common.fill(0);
    for (const item of histories[user]!) for (let i = starts[item]!; i < starts[item + 1]!; i++) common[users[i]!]!++;
    for (const [other, both] of common.entries())
      if (both > 0 && other !== user) best.offer(other, both / (histories[user]!.length + histories[other]!.length - both));
    const count = best.take(rows, scores);
    return scores.subarray(0, count).reduce((sum, score) => sum + score, 0) / options.k;
  });
  return new Map([[`jaccard@${options.k}`, values]]);
}

/** Item i has users[starts[i]] to users[starts[i + 1] - 1]. */
function listenersByItem(shared: SharedRows): { starts: Uint32Array; users: Uint32Array } {
  const counts = listenersOf(shared);
  const starts = new Uint32Array(counts.length + 1);
  for (const [item, count] of counts.entries()) starts[item + 1] = starts[item]! + count;
  const users = new Uint32Array(starts.at(-1)!);
  const next = starts.slice();
  for (const [user, history] of shared.histories.entries()) for (const item of history) users[next[item]!++] = user;
  return { starts, users };
}

/** Of two ascending lists. */
export function jaccard(a: Uint32Array, b: Uint32Array): number {
  let [i, j, both] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      both++;
      i++;
      j++;
    } else if (a[i]! < b[j]!) i++;
    else j++;
  }
  return both / (a.length + b.length - both);
}
