/** Where the first number is that is NaN or infinite; -1: nowhere. A loop, since a callback a number takes ten times as long. */
export function firstNotFinite(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i] as number)) return i;
  return -1;
}
