/** Numbers of 32 bits, appended one by one: 4 bytes each where an array of JavaScript's takes 8 and is copied by the collector. */
export class GrowingRows {
  #values = new Uint32Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      // By a half: while it is copied both are there.
      const larger = new Uint32Array(Math.ceil(this.#values.length * 1.5));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  /** Those there are, not copied: valid until the next `push`. */
  get values(): Uint32Array {
    return this.#values.subarray(0, this.#length);
  }
}
