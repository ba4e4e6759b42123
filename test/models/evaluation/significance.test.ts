import { describe, expect, it } from "vitest";
import { pairedDifference } from "../../../models/evaluation/significance.js";
import { SeededRandom } from "../../../models/seeded-random.js";

const OPTIONS = { rounds: 4000, seed: 5 };

describe("pairedDifference", () => {
  it("comes near the exact p of all sign flips", () => {
    const values = Float64Array.of(0.9, 0.4, 0.5, 0.8, 0.3, 0.7, 0.6, 0.2);
    const base = Float64Array.of(0.5, 0.5, 0.2, 0.4, 0.2, 0.7, 0.2, 0.3);
    const differences = values.map((value, i) => value - base[i]!);
    const observed = Math.abs(differences.reduce((a, b) => a + b));
    let reached = 0;
    for (let flips = 0; flips < 256; flips++) {
      const sum = differences.reduce((total, x, i) => total + ((flips >> i) & 1 ? x : -x), 0);
      if (Math.abs(sum) >= observed - 1e-9) reached++;
    }
    const { p, mean, queries } = pairedDifference(values, base, OPTIONS);
    // Four standard errors of 4,000 rounds.
    expect(Math.abs(p - reached / 256)).toBeLessThan(4 * Math.sqrt(((reached / 256) * (1 - reached / 256)) / OPTIONS.rounds));
    expect(mean).toBeCloseTo(observed / 8, 12);
    expect(queries).toBe(8);
  });

  it("takes two equal models for equal, and never gives 0", () => {
    const same = Float64Array.of(0.1, 0.2, 0.3);
    expect(pairedDifference(same, same, OPTIONS)).toEqual({ queries: 3, mean: 0, low: 0, high: 0, p: 1 });
    const far = pairedDifference(new Float64Array(100).fill(1), new Float64Array(100), OPTIONS);
    expect(far).toEqual({ queries: 100, mean: 1, low: 1, high: 1, p: 1 / 4001 });
  });

  it("leaves out queries that do not count for both", () => {
    const { queries, mean } = pairedDifference(Float64Array.of(1, Number.NaN, 0.5), Float64Array.of(0, 0.5, Number.NaN), OPTIONS);
    expect({ queries, mean }).toEqual({ queries: 1, mean: 1 });
    expect(pairedDifference(Float64Array.of(Number.NaN), Float64Array.of(1), OPTIONS)).toMatchObject({ queries: 0, p: 1 });
  });

  it("has the interval of a normal mean, and the same for the same seed", () => {
    const random = new SeededRandom(11);
    const noise = (): number => Array.from({ length: 12 }, () => random.next() / 2 ** 32).reduce((a, b) => a + b) - 6;
    const values = Float64Array.from({ length: 2000 }, () => 0.1 + noise());
    const { mean, low, high, p } = pairedDifference(values, new Float64Array(2000), OPTIONS);
    const half = 1.96 * Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 1999 / 2000);
    expect(Math.abs(low - (mean - half))).toBeLessThan(0.15 * half);
    expect(Math.abs(high - (mean + half))).toBeLessThan(0.15 * half);
    expect(p).toBeLessThan(0.01);
    expect(pairedDifference(values, new Float64Array(2000), OPTIONS)).toEqual({ queries: 2000, mean, low, high, p });
  });

  it("finds a difference among differences of none in one of twenty", () => {
    const random = new SeededRandom(21);
    const draw = (): Float64Array => Float64Array.from({ length: 60 }, () => random.below(10) / 10);
    let found = 0;
    for (let i = 0; i < 200; i++) if (pairedDifference(draw(), draw(), { rounds: 300, seed: i }).p < 0.05) found++;
    // 10 expected; a binomial is outside 2..22 once in two thousand.
    expect(found).toBeGreaterThan(1);
    expect(found).toBeLessThan(23);
  });
});
