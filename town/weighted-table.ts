import type { Random } from "./random.js";

/** Picks entries in proportion to their weights. */
export class WeightedTable<T> {
  private readonly cumulative: Float64Array;
  private readonly total: number;

  /** @param weightOf > 0 */
  constructor(
    readonly entries: readonly T[],
    weightOf: (entry: T, rank: number) => number,
  ) {
    if (entries.length === 0) throw new RangeError("a weighted table needs an entry");
    this.cumulative = new Float64Array(entries.length);
    let sum = 0;
    for (const [rank, entry] of entries.entries()) {
      sum += weightOf(entry, rank);
      this.cumulative[rank] = sum;
    }
    this.total = sum;
  }

  pick(random: Random): T {
    const wanted = random.fraction() * this.total;
    let low = 0;
    let high = this.entries.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.cumulative[middle] as number) > wanted) high = middle;
      else low = middle + 1;
    }
    return this.entries[low] as T;
  }
}
