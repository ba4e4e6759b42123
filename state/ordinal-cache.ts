/**
 * A bounded cache of small fixed-width vectors by item ordinal, in one typed array: direct-mapped, so a hit costs one
 * comparison and a miss overwrites whoever had the slot. Ordinals are given in the order first met, hence what is
 * popular seldom shares a slot while the vocabulary is smaller than the slots. The memory is taken at the first use.
 */
export class OrdinalCache<A extends Int8Array | Int16Array> {
  values: A;
  readonly #mask: number;
  #owners = new Int32Array(0);

  /**
   * @param maxBytes of the values; the slots are the power of two that fits
   * @param fill writes the vector of an ordinal at an offset; false where it has none
   */
  constructor(
    private readonly make: (length: number) => A,
    private readonly width: number,
    maxBytes: number,
    private readonly fill: (ordinal: number, values: A, at: number) => boolean,
  ) {
    this.values = make(0);
    const slots = 2 ** Math.floor(Math.log2(Math.max(1, maxBytes / (width * this.values.BYTES_PER_ELEMENT))));
    this.#mask = slots - 1;
  }

  /** Index in `values` of the ordinal's vector, or -1 where it has none. Holds until the next call. */
  at(ordinal: number): number {
    const slot = ordinal & this.#mask;
    const owner = this.#owners[slot];
    if (owner === ordinal + 1) return slot * this.width;
    return owner === -(ordinal + 1) ? -1 : this.#miss(ordinal, slot);
  }

  #miss(ordinal: number, slot: number): number {
    if (this.#owners.length === 0) {
      this.#owners = new Int32Array(this.#mask + 1);
      this.values = this.make((this.#mask + 1) * this.width);
    }
    const at = slot * this.width;
    const has = this.fill(ordinal, this.values, at);
    this.#owners[slot] = has ? ordinal + 1 : -(ordinal + 1);
    return has ? at : -1;
  }
}
