import type { QueryValues } from "./list-metrics.js";
import type { Comparison } from "./report.js";
import { pairedDifference, type SignificanceOptions } from "./significance.js";

/** A model's values by query, of each task that it was asked for. */
export interface Compared {
  readonly name: string;
  readonly tasks: Readonly<Record<string, QueryValues>>;
}

/** Each against the first, in every metric that both have: all of a task were asked the same queries. */
export function compare([base, ...others]: readonly Compared[], options: SignificanceOptions): Comparison[] {
  if (base === undefined) return [];
  const found = others.flatMap((other) =>
    Object.entries(other.tasks).flatMap(([task, metrics]) =>
      [...metrics].flatMap(([metric, values]) => {
        const before = base.tasks[task]?.get(metric);
        if (before === undefined) return [];
        return [{ model: other.name, base: base.name, task, metric, ...pairedDifference(values, before, options) }];
      }),
    ),
  );
  const adjusted = holm(found.map(({ p }) => p));
  return found.map((one, i) => ({ ...one, mean: finite(one.mean), low: finite(one.low), high: finite(one.high), adjusted: adjusted[i]! }));
}

/** Of no queries there is no difference; JSON has no NaN. */
const finite = (value: number): number => (Number.isNaN(value) ? 0 : value);

/**
 * Holm, "A simple sequentially rejective multiple test procedure" (1979): the i-th smallest of m (from 0) times m - i, never less than
 * those before it, 1 at most. Below alpha are then false finds with a probability of alpha at most for all of them together.
 */
export function holm(ps: readonly number[]): number[] {
  const order = [...ps.keys()].sort((a, b) => ps[a]! - ps[b]!);
  const adjusted = new Array<number>(ps.length).fill(1);
  let most = 0;
  for (const [i, place] of order.entries()) {
    most = Math.max(most, Math.min(1, (ps.length - i) * ps[place]!));
    adjusted[place] = most;
  }
  return adjusted;
}
