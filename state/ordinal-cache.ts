const FIRST_SLOTS = 64;

/**
 * A bounded cache of small fixed-width vectors by item ordinal, in one typed array. It grows with the ordinals that were
 * asked for; at its bound it is direct-mapped, so a hit costs one comparison and a miss overwrites whoever had the slot.
 * Ordinals are given in the order first met: what is popular seldom shares a slot with what is popular too.
 */
export class OrdinalCache<A extends Int8Array | Int16Array> {
  values: A;
  readonly #maxSlots: number;
  #mask: number;
  /** Per slot: ordinal + 1 of who has it, negative where that ordinal has no vector, 0 where nobody has. */
  #owners: Int32Array;

  /**
   * @param maxBytes of the values; the most slots are the power of two that fits
   * @param fill writes the vector of an ordinal at an offset; false where it has none
   */
  constructor(
    private readonly make: (length: number) => A,
    private readonly width: number,
    maxBytes: number,
    private readonly fill: (ordinal: number, values: A, at: number) => boolean,
  ) {
    this.#maxSlots = Math.max(FIRST_SLOTS, 2 ** Math.floor(Math.log2(maxBytes / (width * make(0).BYTES_PER_ELEMENT))));
    this.#mask = FIRST_SLOTS - 1;
    this.#owners = new Int32Array(FIRST_SLOTS);
    this.values = make(FIRST_SLOTS * width);
  }

  /** Index in `values` of the ordinal's vector, or -1 where it has none. Holds until the next call. */
  at(ordinal: number): number {
    const slot = ordinal & this.#mask;
    const owner = this.#owners[slot];
    if (owner === ordinal + 1) return slot * this.width;
    return owner === -(ordinal + 1) ? -1 : this.#miss(ordinal);
  }

  #miss(ordinal: number): number {
    if (ordinal > this.#mask && this.#mask + 1 < this.#maxSlots) this.#grow(ordinal);
    const slot = ordinal & this.#mask;
    const at = slot * this.width;
    const has = this.fill(ordinal, this.values, at);
    this.#owners[slot] = has ? ordinal + 1 : -(ordinal + 1);
    return has ? at : -1;
  }

  /** Below its bound every ordinal has the slot of its own number, so what is there stays where it is. */
  #grow(ordinal: number): void {
    let slots = this.#mask + 1;
    while (slots <= ordinal && slots < this.#maxSlots) slots *= 2;
    const owners = new Int32Array(slots);
    owners.set(this.#owners);
    const values = this.make(slots * this.width);
    values.set(this.values);
    this.#owners = owners;
    this.values = values;
    this.#mask = slots - 1;
  }
}
