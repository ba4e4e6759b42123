/** How sure a label's items must make us: its mean counts m / (m + this). */
const ENOUGH_ITEMS = 3;

interface Label {
  count: number;
  readonly sum: Float64Array;
}

/** What the items of a creator or of a tag have in common, as vectors less the mean of all. */
export class LabelMeans {
  readonly #labels = new Map<string, Label>();
  readonly #length: number;
  #items: number;

  /** @param items how many gave their labels already */
  constructor(length: number, items = 0) {
    this.#length = length;
    this.#items = items;
  }

  get items(): number {
    return this.#items;
  }

  /** The labels of most items, with how many these are and their mean: at most so many, ties by name. */
  strongest(most: number): { readonly name: string; readonly count: number; readonly mean: Float64Array }[] {
    const all = [...this.#labels].sort(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1)).slice(0, most);
    return all.map(([name, { count, sum }]) => ({ name, count, mean: sum.map((x) => x / count) }));
  }

  /** A label that so many items have, as `strongest` gave it. */
  set(name: string, count: number, mean: ArrayLike<number>): void {
    this.#labels.set(name, { count, sum: Float64Array.from(mean, (x) => x * count) });
  }

  add(labels: Iterable<string>, vector: Float64Array): void {
    this.#items++;
    for (const name of new Set(labels)) {
      const label = this.#labels.get(name) ?? { count: 0, sum: new Float64Array(this.#length) };
      label.count++;
      for (let d = 0; d < this.#length; d++) label.sum[d]! += vector[d]!;
      this.#labels.set(name, label);
    }
  }

  /**
   * Of these labels together: rare ones say more (log of all items / its items), those of few items are less sure. Without what an
   * item itself gave, where it is one of them. undefined: none of them has another item.
   */
  of(labels: Iterable<string>, own?: Float64Array): Float64Array | undefined {
    const mean = new Float64Array(this.#length);
    let total = 0;
    for (const name of new Set(labels)) {
      const label = this.#labels.get(name);
      const count = (label?.count ?? 0) - (own === undefined ? 0 : 1);
      if (label === undefined || count < 1) continue;
      const weight = Math.log(1 + this.#items / count) * (count / (count + ENOUGH_ITEMS));
      for (let d = 0; d < this.#length; d++) mean[d]! += (weight * (label.sum[d]! - (own?.[d] ?? 0))) / count;
      total += weight;
    }
    return total === 0 ? undefined : mean.map((sum) => sum / total);
  }
}
