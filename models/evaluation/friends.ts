import type { ItemModel } from "../../schemas/model.js";
import { SeededRandom } from "../seeded-random.js";
import type { QueryValues } from "./list-metrics.js";
import { includes, type Queries, rankAll } from "./rank-all.js";
import type { SharedRows } from "./shared-rows.js";
import { aucOf } from "./user-auc.js";
import { usersByCosine } from "./user-neighbours.js";

/** Two users who know each other, either way round. */
export type Friendship = readonly [string, string];

export interface FriendFigures {
  /** Different pairs of users of train. */
  readonly pairs: number;
  /** That a pair of friends scores above a random pair of others, ties a half (Mann and Whitney). NaN without pairs. */
  readonly auc: number;
  /** By user with friends: found among the k nearest / friends. */
  readonly values: QueryValues;
}

export interface FriendOptions {
  readonly k: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
}

/**
 * Do users whom the model puts near know each other? Pairs with somebody who is not in train, or with oneself, are left out. Strangers for
 * the AUC are drawn at random, as many as there are friends, no friends among them; a pair with a user without a vector scores 0.
 */
export async function friendFigures(
  model: ItemModel,
  shared: SharedRows,
  friendships: readonly Friendship[],
  options: FriendOptions,
): Promise<FriendFigures> {
  const friends = friendsByUser(shared, friendships);
  const users = Uint32Array.from(friends.keys()).sort();
  const ranker = usersByCosine(model, shared);
  const found = new Float64Array(users.length);
  const queries: Queries = {
    count: users.length,
    fill: (q, target, at) => ranker.pool(shared.histories[users[q]!]!, target, at),
    masked: (q) => users.subarray(q, q + 1),
  };
  await rankAll(queries, ranker.candidates, options, (q, list, count) => {
    const own = friends.get(users[q]!)!;
    for (let i = 0; i < count; i++) if (includes(own, list[i]!)) found[q]! += 1 / own.length;
  });
  const { dims } = ranker.candidates;
  const [a, b] = [new Float64Array(dims), new Float64Array(dims)];
  const cosine = ([u, v]: readonly [number, number]): number => {
    const both = ranker.pool(shared.histories[u]!, a, 0) && ranker.pool(shared.histories[v]!, b, 0);
    return both ? a.reduce((sum, x, d) => sum + x * b[d]!, 0) : 0;
  };
  const pairs = [...friends].flatMap(([u, own]) =>
    Array.from(
      own.filter((v) => u < v),
      (v): [number, number] => [u, v],
    ),
  );
  const strangers = strangersOf(shared.users.length, friends, pairs.length, options.seed);
  const auc = aucOf(Float64Array.from(pairs, cosine), Float64Array.from(strangers, cosine));
  return { pairs: pairs.length, auc, values: new Map([[`recall@${options.k}`, found]]) };
}

function friendsByUser({ users }: SharedRows, friendships: readonly Friendship[]): Map<number, Uint32Array> {
  const places = new Map(users.map((user, place) => [user, place]));
  const sets = new Map<number, Set<number>>();
  const know = (u: number, v: number): void => void sets.set(u, (sets.get(u) ?? new Set()).add(v));
  for (const [first, second] of friendships) {
    const [u, v] = [places.get(first), places.get(second)];
    if (u === undefined || v === undefined || u === v) continue;
    know(u, v);
    know(v, u);
  }
  return new Map([...sets].map(([user, own]) => [user, Uint32Array.from(own).sort()]));
}

/** Gives up after many draws where nearly everybody knows everybody, with fewer pairs. */
function strangersOf(users: number, friends: Map<number, Uint32Array>, count: number, seed: number): [number, number][] {
  const random = new SeededRandom(seed);
  const pairs: [number, number][] = [];
  for (let draws = 0; pairs.length < count && draws < 100 * count; draws++) {
    const [u, v] = [random.below(users), random.below(users)];
    if (u !== v && !includes(friends.get(u) ?? new Uint32Array(0), v)) pairs.push([u, v]);
  }
  return pairs;
}
