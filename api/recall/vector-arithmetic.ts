export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

export const length = (vector: ArrayLike<number>): number => Math.sqrt(dot(vector, vector));

/** The same direction at length 1; undefined where there is none. */
export function unit(vector: Float32Array | Float64Array | undefined): Float64Array | undefined {
  if (vector === undefined) return undefined;
  const norm = length(vector);
  return norm > 0 ? Float64Array.from(vector, (component) => component / norm) : undefined;
}
