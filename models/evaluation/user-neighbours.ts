import type { ItemModel } from "../../schemas/model.js";
import { sampleOf } from "../seeded-random.js";
import { TopK } from "../top-k.js";
import { ListMetrics, type QueryValues } from "./list-metrics.js";
import { type Candidates, type Queries, rankAll } from "./rank-all.js";
import { itemsToItems, type Ranker } from "./ranker.js";
import type { SharedRows } from "./shared-rows.js";

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
 * count as 0. Held against `exactJaccard`, the most that any k can have. And whether they are those who later do as the user does: recall and
 * the like against `alikeLater`.
 */
export async function neighbourJaccard(
  ranker: Ranker,
  shared: SharedRows,
  alikeLater: readonly Uint32Array[],
  options: NeighbourOptions,
): Promise<QueryValues> {
  const { some } = asked(shared, options);
  const { histories } = shared;
  const values = new Float64Array(some.length);
  const metrics = new ListMetrics([options.k], some.length);
  const queries: Queries = {
    count: some.length,
    fill: (q, target, at) => ranker.pool(histories[some[q]!]!, target, at),
    masked: (q) => some.subarray(q, q + 1),
  };
  await rankAll(queries, ranker.candidates, options, (q, list, count) => {
    const own = histories[some[q]!]!;
    for (let i = 0; i < count; i++) values[q]! += jaccard(own, histories[list[i]!]!) / options.k;
    // Whoever is alike nobody later asks for nothing.
    if (alikeLater[q]!.length > 0) metrics.add(q, list, count, alikeLater[q]!);
  });
  return new Map([[`jaccard@${options.k}`, values], ...metrics.values]);
}

/** The same of the k users with the largest Jaccard, found by counting over the listeners of each item. */
export function exactJaccard(shared: SharedRows, options: NeighbourOptions): QueryValues {
  const { some } = asked(shared, options);
  const values = new Float64Array(some.length);
  mostAlike(shared.histories, shared.items.length, some, options, (q, _, scores) => {
    values[q] = scores.reduce((sum, score) => sum + score, 0) / options.k;
  });
  return new Map([[`jaccard@${options.k}`, values]]);
}

/**
 * Of those who are asked, the k users whose items of test have the largest Jaccard with their own, ascending: fewer where fewer have anything in
 * common. Train has no say in it, so it tells which neighbours stay neighbours.
 */
export function alikeLater(shared: SharedRows, options: NeighbourOptions): readonly Uint32Array[] {
  const { some } = asked(shared, options);
  const lists: Uint32Array[] = [];
  // Only who can be found, which takes a history.
  const later = shared.later.map((rows, user) => (shared.histories[user]!.length > 0 ? rows : rows.subarray(0, 0)));
  mostAlike(later, shared.items.length, some, options, (q, users) => {
    lists[q] = users.slice().sort();
  });
  return lists;
}

type OnAlike = (query: number, users: Uint32Array, scores: Float64Array) => void;

/** The k other users of each who have most in common with it, by Jaccard, best first; of equals the earlier. */
function mostAlike(
  sets: readonly Uint32Array[],
  items: number,
  some: Uint32Array,
  { k, signal }: NeighbourOptions,
  onAlike: OnAlike,
): void {
  const { starts, users } = ownersByItem(sets, items);
  const common = new Uint32Array(sets.length);
  const [rows, scores, best] = [new Uint32Array(k), new Float64Array(k), new TopK(k)];
  for (const [q, user] of some.entries()) {
    signal?.throwIfAborted();
    common.fill(0);
    for (const item of sets[user]!) for (let i = starts[item]!; i < starts[item + 1]!; i++) common[users[i]!]!++;
    for (const [other, both] of common.entries())
      if (both > 0 && other !== user) best.offer(other, both / (sets[user]!.length + sets[other]!.length - both));
    const count = best.take(rows, scores);
    onAlike(q, rows.subarray(0, count), scores.subarray(0, count));
  }
}

/** Item i is in the sets users[starts[i]] to users[starts[i + 1] - 1]. */
function ownersByItem(sets: readonly Uint32Array[], items: number): { starts: Uint32Array; users: Uint32Array } {
  const starts = new Uint32Array(items + 1);
  for (const set of sets) for (const item of set) starts[item + 1]!++;
  for (let item = 0; item < items; item++) starts[item + 1]! += starts[item]!;
  const users = new Uint32Array(starts[items]!);
  const next = starts.slice();
  for (const [user, set] of sets.entries()) for (const item of set) users[next[item]!++] = user;
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
