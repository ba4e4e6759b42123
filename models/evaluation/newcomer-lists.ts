import { ListMetrics, type QueryValues } from "./list-metrics.js";
import { type Queries, rankAll } from "./rank-all.js";
import type { Ranker } from "./ranker.js";
import type { SharedRows } from "./shared-rows.js";

export interface NewcomerOptions {
  readonly ks: readonly number[];
  readonly signal?: AbortSignal;
}

/** Users of test whom train does not know and who have more than so many items there: who is asked after that many. */
export const newcomersAfter = ({ newcomers }: SharedRows, events: number): readonly Uint32Array[] =>
  newcomers.filter((items) => items.length > events);

/**
 * A cold start: users of whom training knew nothing are pooled from their first items of test, which are masked, and the others of
 * theirs are to be found. The names end with how many: `recall@20 after 3`. After none there is nothing to pool, and only what needs no
 * history (popularity) finds anything.
 */
export async function newcomerLists(
  ranker: Ranker,
  shared: SharedRows,
  after: readonly number[],
  { ks, signal }: NewcomerOptions,
): Promise<QueryValues> {
  const values = new Map<string, Float64Array>();
  for (const events of after) {
    const asked = newcomersAfter(shared, events);
    const first = asked.map((items) => items.slice(0, events).sort());
    const rest = asked.map((items) => items.slice(events).sort());
    const metrics = new ListMetrics(ks, asked.length);
    const queries: Queries = {
      count: asked.length,
      fill: (q, target, at) => ranker.pool(first[q]!, target, at),
      masked: (q) => first[q]!,
    };
    await rankAll(queries, ranker.candidates, { k: Math.max(...ks), ...(signal && { signal }) }, (q, list, count) =>
      metrics.add(q, list, count, rest[q]!),
    );
    for (const [name, of] of metrics.values) values.set(`${name} after ${events}`, of);
  }
  return values;
}
