/**
 * splitmix32: a counter by the golden ratio, mixed by a hash of Chris Wellons' ("Prospecting for hash functions", 2018).
 * Integers only, so a seed gives the same numbers on every machine. Samples and resampling, no secrets.
 */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 to 2^32 - 1 */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let z = this.#state ^ (this.#state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** An integer from 0 to below `bound`, 1 to 2^32. */
  below(bound: number): number {
    return Math.floor((this.next() / 2 ** 32) * bound);
  }
}

/** `count` different integers from 0 to below `of`, ascending, each set equally likely; all of them where there are no more. */
export function sampleOf(of: number, count: number, seed: number): Uint32Array {
  const random = new SeededRandom(seed);
  const chosen = new Uint32Array(Math.min(count, of));
  let taken = 0;
  // Knuth's selection sampling (The Art of Computer Programming, 3.4.2, algorithm S).
  for (let i = 0; taken < chosen.length; i++) if (random.below(of - i) < chosen.length - taken) chosen[taken++] = i;
  return chosen;
}
