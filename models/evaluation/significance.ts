import { SeededRandom } from "../seeded-random.js";

/** One model against another over the same queries. */
export interface Difference {
  /** Queries that count for both. */
  readonly queries: number;
  readonly mean: number;
  /** 95 % interval of the mean difference, by the bootstrap. */
  readonly low: number;
  readonly high: number;
  /** Two-sided, of the randomisation test. */
  readonly p: number;
}

export interface SignificanceOptions {
  readonly rounds: number;
  readonly seed: number;
}

/**
 * Paired: by query, `values` minus `base`. p is Fisher's randomisation test, which Smucker, Allan and Carterette ("A comparison of
 * statistical significance tests for information retrieval evaluation", CIKM 2007) recommend: signs of the differences flipped at random,
 * (rounds at least as far from zero + 1) / (rounds + 1), so never 0 (Phipson and Smyth, 2010). The interval is Efron's percentile
 * bootstrap over queries. Queries where either is NaN are left out.
 */
export function pairedDifference(values: Float64Array, base: Float64Array, { rounds, seed }: SignificanceOptions): Difference {
  const differences = values.map((value, i) => value - base[i]!).filter((difference) => !Number.isNaN(difference));
  const n = differences.length;
  const mean = differences.reduce((sum, x) => sum + x, 0) / n;
  if (n === 0) return { queries: 0, mean, low: mean, high: mean, p: 1 };
  const random = new SeededRandom(seed);
  const [low, high] = intervalOf(differences, rounds, random);
  return { queries: n, mean, low, high, p: flippedP(differences, rounds, random) };
}

function flippedP(all: Float64Array, rounds: number, random: SeededRandom): number {
  // Flipping zeros changes nothing, and most users of two good models tie.
  const differences = all.filter((x) => x !== 0);
  const observed = Math.abs(differences.reduce((sum, x) => sum + x, 0));
  // Sums in another order differ in the last bits, and the same sum must count as reached.
  const reach = observed - 1e-12 * differences.reduce((sum, x) => sum + Math.abs(x), 0);
  let reached = 0;
  for (let round = 0; round < rounds; round++) {
    let sum = 0;
    for (let i = 0; i < differences.length; ) {
      let bits = random.next();
      for (const end = Math.min(i + 32, differences.length); i < end; i++, bits >>>= 1)
        sum += bits & 1 ? differences[i]! : -differences[i]!;
    }
    if (Math.abs(sum) >= reach) reached++;
  }
  return (reached + 1) / (rounds + 1);
}

function intervalOf(differences: Float64Array, rounds: number, random: SeededRandom): [number, number] {
  const n = differences.length;
  const means = new Float64Array(rounds);
  for (let round = 0; round < rounds; round++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += differences[random.below(n)]!;
    means[round] = sum / n;
  }
  means.sort();
  const at = (q: number): number => means[Math.min(rounds - 1, Math.floor(q * rounds))]!;
  return [at(0.025), at(0.975)];
}
