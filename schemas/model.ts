import type { ItemId } from "./ids.js";

/** Vectors of items, one row each, as a model has them. Row-major: values[i * dims + d]. */
export interface ItemMatrix {
  readonly dims: number;
  readonly values: Float32Array;
}

/**
 * A trained model in memory. A user is the weighted mean (or sum / sqrt(n)) of its items' input vectors; an item is scored by its
 * output vector's dot product with it.
 */
export interface ItemModel {
  /** "item2vec", "metapath2vec", "graph", ... */
  readonly kind: string;
  /** Row i of both matrices. */
  readonly items: readonly ItemId[];
  readonly input: ItemMatrix;
  readonly output: ItemMatrix;
  /** How u2i scores: dot product of the pooled (mean) input vectors with output vectors, or their cosine. */
  readonly score: "dot" | "cosine";
}

/** Users' histories, as sets of rows of `items`. */
export interface Histories {
  readonly items: readonly ItemId[];
  readonly users: readonly string[];
  /** User u has rows[starts[u]] to rows[starts[u + 1] - 1]: users + 1 numbers. */
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
}

/** One point of the curve of losses: what a pair lost on average when the training had come to `share` of its way, 0 to 1. */
export interface LossPoint {
  readonly share: number;
  readonly loss: number;
}
