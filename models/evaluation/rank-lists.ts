import { SeededRandom } from "../seeded-random.js";
import { ListMetrics, type QueryValues, type Segments } from "./list-metrics.js";
import { type Queries, rankAll } from "./rank-all.js";
import type { Ranker } from "./ranker.js";
import type { SharedRows } from "./shared-rows.js";

export interface ListOptions {
  readonly ks: readonly number[];
  readonly segments?: Segments;
  /** By which recall is told too, apart from the other figures. */
  readonly types?: Segments;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface RankedLists {
  readonly metrics: ListMetrics;
  /** Recall by type: `recall@20/song`; empty without types. */
  readonly byType: QueryValues;
  /** By k: how often each shared row is among the first k. */
  readonly counts: ReadonlyMap<number, Uint32Array>;
}

/**
 * u2i: every tested user's list of all items but those of its history, held against what the test says. A user for whom the ranker has no
 * vector gets an empty list, which finds nothing.
 */
export function userLists(ranker: Ranker, shared: SharedRows, options: ListOptions): Promise<RankedLists> {
  return rankLists(ranker, shared, options, (q) => shared.histories[shared.tested[q]!]!);
}

/**
 * i2i: of each tested user one item of the history is drawn by the seed, and the items nearest to it, without the history, should be those
 * that the test says: items that the same user went on to. All models are asked for the same items.
 */
export function itemLists(ranker: Ranker, shared: SharedRows, options: ListOptions & { readonly seed: number }): Promise<RankedLists> {
  const random = new SeededRandom(options.seed);
  const drawn = Uint32Array.from(shared.tested, (user) => {
    const history = shared.histories[user]!;
    return history[random.below(history.length)]!;
  });
  return rankLists(ranker, shared, options, (q) => drawn.subarray(q, q + 1));
}

async function rankLists(
  ranker: Ranker,
  shared: SharedRows,
  { ks, segments, types, ...options }: ListOptions,
  asked: (query: number) => Uint32Array,
): Promise<RankedLists> {
  const metrics = new ListMetrics(ks, shared.tested.length, segments);
  const ofTypes = new ListMetrics(ks, types === undefined ? 0 : shared.tested.length, types);
  const counts = new Map(ks.map((k) => [k, new Uint32Array(shared.items.length)]));
  const queries: Queries = {
    count: shared.tested.length,
    fill: (q, target, at) => ranker.pool(asked(q), target, at),
    masked: (q) => shared.histories[shared.tested[q]!]!,
  };
  await rankAll(queries, ranker.candidates, { ...options, k: Math.max(...ks) }, (q, list, count) => {
    metrics.add(q, list, count, shared.wanted[q]!);
    if (types !== undefined) ofTypes.add(q, list, count, shared.wanted[q]!);
    for (const [k, places] of counts) for (let i = 0; i < Math.min(k, count); i++) places[list[i]!]!++;
  });
  const isByType = (name: string): boolean => types?.names.some((type) => name.endsWith(`/${type}`)) === true;
  return { metrics, byType: new Map([...ofTypes.values].filter(([name]) => isByType(name))), counts };
}
