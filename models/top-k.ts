/**
 * The k best of a stream of scored rows. Rows must be offered in ascending order: of two with one score the earlier is the better, so a
 * later one that only equals the worst of a full list does not enter, and the list is the same however rows were cut into blocks.
 */
export class TopK {
  readonly #scores: Float64Array;
  readonly #rows: Uint32Array;
  #size = 0;
  /** What a row must exceed: -Infinity until k are there. */
  worst = Number.NEGATIVE_INFINITY;

  constructor(readonly k: number) {
    this.#scores = new Float64Array(k);
    this.#rows = new Uint32Array(k);
  }

  clear(): void {
    this.#size = 0;
    this.worst = Number.NEGATIVE_INFINITY;
  }

  offer(row: number, score: number): void {
    if (this.#size < this.k) {
      this.#up(this.#size++, row, score);
      if (this.#size === this.k) this.worst = this.#scores[0]!;
    } else if (score > this.worst) {
      this.#down(row, score, this.k);
      this.worst = this.#scores[0]!;
    }
  }

  /** Takes the list, best first, into the arrays, which hold k; what it returns is how many there are. The list is empty then. */
  take(rows: Uint32Array, scores: Float64Array): number {
    const count = this.#size;
    for (let left = count; left > 0; left--) {
      rows[left - 1] = this.#rows[0]!;
      scores[left - 1] = this.#scores[0]!;
      if (left > 1) this.#down(this.#rows[left - 1]!, this.#scores[left - 1]!, left - 1);
    }
    this.clear();
    return count;
  }

  /** Whether the entry at `i` is worse than the given one. The root of the heap is the worst. */
  #isWorse(i: number, row: number, score: number): boolean {
    const own = this.#scores[i]!;
    return own < score || (own === score && this.#rows[i]! > row);
  }

  #up(from: number, row: number, score: number): void {
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#isWorse(parent, row, score)) this.#put(i, this.#rows[parent]!, this.#scores[parent]!);
      else break;
      i = parent;
    }
    this.#put(i, row, score);
  }

  /** Puts an entry in the root's place, in a heap of `size`. */
  #down(row: number, score: number, size: number): void {
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#isWorse(child + 1, this.#rows[child]!, this.#scores[child]!)) child++;
      if (!this.#isWorse(child, row, score)) break;
      this.#put(i, this.#rows[child]!, this.#scores[child]!);
      i = child;
    }
    this.#put(i, row, score);
  }

  #put(i: number, row: number, score: number): void {
    this.#rows[i] = row;
    this.#scores[i] = score;
  }
}
