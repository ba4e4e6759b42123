/** How evenly the places of all lists fall on the items. */
export interface Exposure {
  /** Share of all items that are in any list. */
  readonly coverage: number;
  /** 0: all items equally often; near 1: always the same few. */
  readonly gini: number;
}

/**
 * Of how often each item is in a list. Gini is sum over ascending x of (2 i - n - 1) x_i / (n sum x), i from 1, over all n items, also
 * those in no list; NaN where no list has anything.
 */
export function exposureOf(counts: Uint32Array): Exposure {
  const ascending = counts.slice().sort();
  const n = ascending.length;
  let [total, weighted, reached] = [0, 0, 0];
  for (const [i, count] of ascending.entries()) {
    total += count;
    weighted += (2 * (i + 1) - n - 1) * count;
    if (count > 0) reached++;
  }
  return { coverage: reached / n, gini: weighted / (n * total) };
}
