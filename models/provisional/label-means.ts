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
  #items = 0;

  constructor(length: number) {
    this.#length = length;
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
