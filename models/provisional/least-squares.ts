/**
 * Solves A x = b for each row of `right` (x and b of n numbers, rows one after the other), by Cholesky. A is symmetric, row-major, n x n;
 * `ridge` times its mean diagonal is added, so that there is always one answer, the smallest where A says nothing.
 */
export function solveSymmetric(a: Float64Array, n: number, right: Float64Array, ridge: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < n; i++) trace += a[i * n + i]!;
  const added = (ridge * trace) / n || 1;
  const lower = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]! + (i === j ? added : 0);
      for (let k = 0; k < j; k++) sum -= lower[i * n + k]! * lower[j * n + k]!;
      // Rounding may leave a little less than nothing.
      lower[i * n + j] = i === j ? Math.sqrt(Math.max(sum, added * 1e-9)) : sum / lower[j * n + j]!;
    }
  }
  const answer = right.slice();
  for (let row = 0; row < answer.length; row += n) {
    for (let i = 0; i < n; i++) {
      let sum = answer[row + i]!;
      for (let k = 0; k < i; k++) sum -= lower[i * n + k]! * answer[row + k]!;
      answer[row + i] = sum / lower[i * n + i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = answer[row + i]!;
      for (let k = i + 1; k < n; k++) sum -= lower[k * n + i]! * answer[row + k]!;
      answer[row + i] = sum / lower[i * n + i]!;
    }
  }
  return answer;
}

/** y less its mean, from x less its mean: `weights[e * dims + d]`. */
export interface LinearMap {
  readonly mean: Float64Array;
  readonly weights: Float64Array;
}

/** Ridge regression of vectors on vectors, pair by pair. Means of y are the caller's. */
export function fitLinear(xs: readonly Float64Array[], ys: readonly Float64Array[], dims: number, ridge: number): LinearMap {
  const mean = new Float64Array(dims);
  for (const x of xs) for (let d = 0; d < dims; d++) mean[d]! += x[d]! / xs.length;
  const outer = new Float64Array(dims * dims);
  const cross = new Float64Array((ys[0]?.length ?? 0) * dims);
  const centred = new Float64Array(dims);
  for (const [i, x] of xs.entries()) {
    for (let d = 0; d < dims; d++) centred[d] = x[d]! - mean[d]!;
    addOuter(outer, centred, centred);
    addOuter(cross, ys[i]!, centred);
  }
  return { mean, weights: solveSymmetric(outer, dims, cross, ridge) };
}

/** sums += a b^T */
function addOuter(sums: Float64Array, a: Float64Array, b: Float64Array): void {
  for (let i = 0; i < a.length; i++) {
    const factor = a[i]!;
    for (let d = 0, at = i * b.length; d < b.length; d++, at++) sums[at]! += factor * b[d]!;
  }
}

export function applyLinear({ mean, weights }: LinearMap, x: Float64Array): Float64Array {
  const dims = mean.length;
  return Float64Array.from({ length: weights.length / dims }, (_, e) => {
    let sum = 0;
    for (let d = 0; d < dims; d++) sum += weights[e * dims + d]! * (x[d]! - mean[d]!);
    return sum;
  });
}

/** By how much each of some vectors counts in a sum that is to come near to y: least squares over all pairs. */
export function fitBlend(parts: readonly (readonly Float64Array[])[], ys: readonly Float64Array[]): Float64Array {
  const n = parts[0]?.length ?? 0;
  const outer = new Float64Array(n * n);
  const cross = new Float64Array(n);
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, d) => sum + x * b[d]!, 0);
  for (const [i, of] of parts.entries())
    for (let a = 0; a < n; a++) {
      cross[a]! += dot(of[a]!, ys[i]!);
      for (let b = 0; b < n; b++) outer[a * n + b]! += dot(of[a]!, of[b]!);
    }
  return n === 0 ? cross : solveSymmetric(outer, n, cross, 1e-6);
}
