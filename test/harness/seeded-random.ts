/** Whole numbers 0..n-1, the same for the same seed: the congruential generator of Numerical Recipes (2nd ed., 7.1), enough to spread load. */
export function seededRandom(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}
