/**
 * Vectors as a music app has them: items gather around tastes, a few are heard by many; a listener likes two or three
 * tastes and is the weighted mean of some of their items. Neighbours are real, and many have the very same vector.
 */

/** Numbers in 0..1 by mulberry32: the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Listeners {
  readonly dims: number;
  /** A new listener's vector; `most` items are pooled at most. */
  listener(most?: number): Float32Array;
  /** `count` of them, row-major. */
  rows(count: number, most?: number): Float32Array;
  /** What `vector` becomes when its listener goes on listening: a share of something else. */
  moved(vector: Float32Array, share: number): Float32Array;
}

export function listeners(dims: number, seed: number, tastes = 60, itemsOfTaste = 80): Listeners {
  const random = randomOf(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const around = (center: Float32Array, spread: number): Float32Array => center.map((x) => x + spread * normal());
  const centers = Array.from({ length: tastes }, () => around(new Float32Array(dims), 1));
  const items = centers.map((center) => Array.from({ length: itemsOfTaste }, () => around(center, 0.7)));
  // Zipf, roughly: the first item of a taste is heard the most.
  const pick = (length: number): number => Math.floor(length * random() ** 2);

  const listener = (most = 40): Float32Array => {
    const liked = Array.from({ length: 1 + Math.floor(random() * 3) }, () => items[pick(tastes)] as Float32Array[]);
    const vector = new Float32Array(dims);
    for (let i = Math.ceil(random() * most); i > 0; i--) {
      const item = (liked[pick(liked.length)] as Float32Array[])[pick(itemsOfTaste)] as Float32Array;
      for (let d = 0; d < dims; d++) vector[d] = (vector[d] as number) + (item[d] as number);
    }
    return vector;
  };
  return {
    dims,
    listener,
    rows: (count, most) => {
      const rows = new Float32Array(count * dims);
      for (let i = 0; i < count; i++) rows.set(listener(most), i * dims);
      return rows;
    },
    moved: (vector, share) => {
      const other = listener();
      const scale = (share * Math.hypot(...vector)) / Math.hypot(...other);
      return vector.map((x, d) => x * (1 - share) + (other[d] as number) * scale);
    },
  };
}

export const upTo = (count: number, first = 0): Uint32Array => Uint32Array.from({ length: count }, (_, i) => first + i);
