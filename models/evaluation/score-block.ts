/** Queries and candidates of one block lie row-major, padded with zeros to multiples of these. */
export const QUERY_STEP = 4;
export const CANDIDATE_STEP = 2;

export const padded = (count: number, step: number): number => Math.ceil(count / step) * step;

/**
 * Dot products of four queries, from row `query` on, with `count` candidates (padded): scores[q * count + c]. Four by two sums at a
 * time, so that six loads feed eight products; each sum is one chain in order of dimension, so a score does not depend on what else
 * is in the block.
 */
export function scoreFour(
  queries: Float64Array,
  query: number,
  candidates: Float64Array,
  count: number,
  dims: number,
  scores: Float64Array,
): void {
  const q0 = query * dims;
  const q1 = q0 + dims;
  const q2 = q1 + dims;
  const q3 = q2 + dims;
  for (let c = 0; c < count; c += CANDIDATE_STEP) {
    const at = c * dims;
    const next = at + dims;
    let [a0, a1, a2, a3, b0, b1, b2, b3] = [0, 0, 0, 0, 0, 0, 0, 0];
    for (let d = 0; d < dims; d++) {
      const a = candidates[at + d]!;
      const b = candidates[next + d]!;
      const u = queries[q0 + d]!;
      const v = queries[q1 + d]!;
      const w = queries[q2 + d]!;
      const x = queries[q3 + d]!;
      a0 += u * a;
      a1 += v * a;
      a2 += w * a;
      a3 += x * a;
      b0 += u * b;
      b1 += v * b;
      b2 += w * b;
      b3 += x * b;
    }
    scores[c] = a0;
    scores[c + 1] = b0;
    scores[count + c] = a1;
    scores[count + c + 1] = b1;
    scores[2 * count + c] = a2;
    scores[2 * count + c + 1] = b2;
    scores[3 * count + c] = a3;
    scores[3 * count + c + 1] = b3;
  }
}
