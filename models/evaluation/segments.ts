/** Items by popularity, each with about a third of all interactions of train. */
export type Segment = "head" | "middle" | "tail";
export const SEGMENTS: readonly Segment[] = ["head", "middle", "tail"];

/**
 * The most popular items first (ties by row): an item is of the head while those before it have less than a third of all interactions, of
 * the middle below two thirds, else of the tail; items that nobody had in train are of the tail. So a third that an item straddles
 * counts it where it begins.
 */
export function segmentsOf(listeners: Uint32Array): Uint8Array {
  const order = Uint32Array.from(listeners.keys()).sort((a, b) => listeners[b]! - listeners[a]! || a - b);
  const total = listeners.reduce((sum, count) => sum + count, 0);
  const segments = new Uint8Array(listeners.length);
  let before = 0;
  for (const row of order) {
    segments[row] = listeners[row] === 0 ? 2 : Math.min(2, Math.floor((3 * before) / total));
    before += listeners[row]!;
  }
  return segments;
}
