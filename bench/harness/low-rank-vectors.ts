import { seededRandom } from "../../test/harness/seeded-random.js";

/** Of the space itself, the same in all benches: what differs is who is drawn from it. */
const SPACE_SEED = 7;
const LATENT = 16;
const CLUSTERS = 200;
/** How far people of one taste are apart, against 1 for the tastes: mild clusters that run into each other. */
const SPREAD = 0.8;
/** Standard deviation of what each dimension has of its own, against about 1 of what the latent ones give it. */
const NOISE = 0.2;

/**
 * Vectors with a structure that a graph can follow, as trained ones have it: 16 latent dimensions, 200 tastes of unequal
 * size, noise in every dimension. Random directions without one have no near neighbours at all.
 */
export class LowRankVectors {
  readonly #random: (n: number) => number;
  readonly #axes: Float32Array;
  readonly #centers: Float32Array;
  readonly #latent = new Float32Array(LATENT);

  /** The same seed gives the same vectors in the same order. */
  constructor(
    seed: number,
    readonly dims = 64,
  ) {
    const space = seededRandom(SPACE_SEED);
    this.#axes = Float32Array.from({ length: LATENT * dims }, () => normal(space) / Math.sqrt(LATENT));
    this.#centers = Float32Array.from({ length: CLUSTERS * LATENT }, () => normal(space));
    this.#random = seededRandom(seed);
  }

  /** `count` of them, row-major. */
  rows(count: number): Float32Array {
    const rows = new Float32Array(count * this.dims);
    for (let i = 0; i < count; i++) this.#draw(rows, i * this.dims);
    return rows;
  }

  /** What the rows become when each listener goes on listening: `share` of something else is mixed in. */
  drifted(rows: Float32Array, share: number): Float32Array {
    const others = this.rows(rows.length / this.dims);
    return rows.map((x, i) => x * (1 - share) + (others[i] as number) * share);
  }

  #draw(into: Float32Array, at: number): void {
    // The first tastes have the most people.
    const center = Math.floor(CLUSTERS * this.#uniform() ** 2) * LATENT;
    for (let l = 0; l < LATENT; l++) this.#latent[l] = (this.#centers[center + l] as number) + SPREAD * normal(this.#random);
    for (let d = 0; d < this.dims; d++) {
      let sum = NOISE * Math.sqrt(12) * (this.#uniform() - 0.5);
      for (let l = 0; l < LATENT; l++) sum += (this.#latent[l] as number) * (this.#axes[l * this.dims + d] as number);
      into[at + d] = sum;
    }
  }

  #uniform(): number {
    return this.#random(RESOLUTION) / RESOLUTION;
  }
}

const RESOLUTION = 2 ** 24;

/** Nearly: the sum of four uniform numbers, which costs no logarithm. */
function normal(random: (n: number) => number): number {
  const sum = random(RESOLUTION) + random(RESOLUTION) + random(RESOLUTION) + random(RESOLUTION);
  return (sum / RESOLUTION - 2) * Math.sqrt(3);
}
