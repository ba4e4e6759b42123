import type { ItemId } from "./ids.js";
import type { ItemInfo } from "./item.js";

/** Vectors of items, one row each, as a model has them. Row-major: values[i * dims + d]. */
export interface ItemMatrix {
  readonly dims: number;
  readonly values: Float32Array;
}

/** Vectors of nodes that are no items: users, creators, tags, scenes. */
export interface NodeVectors {
  readonly type: string;
  readonly ids: readonly string[];
  /** Row i is that of ids[i]; in the space of the items' input vectors. */
  readonly vectors: ItemMatrix;
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
  /** Of a heterogeneous model, its other nodes; each type once. */
  readonly nodes?: readonly NodeVectors[];
}

/** Users' histories, as sets of rows of `items`. */
export interface Histories {
  readonly items: readonly ItemId[];
  readonly users: readonly string[];
  /** User u has rows[starts[u]] to rows[starts[u + 1] - 1]: users + 1 numbers. */
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
}

/** What people did with items and what is known of the items: what a model is trained on. */
export interface TrainingSet {
  readonly histories: Histories;
  /** Strength of each of histories.rows, > 0 (what an event weighs, summed); absent: all 1. */
  readonly weights?: Float32Array;
  /** Event time in ms of the newest event of each of histories.rows; absent: unknown. */
  readonly times?: Float64Array;
  /** Actions seen at each of histories.rows, as bits over `actionNames` (at most 32); absent: unknown. */
  readonly actions?: Uint32Array;
  readonly actionNames?: readonly string[];
  /** Scenes likewise. */
  readonly scenes?: Uint32Array;
  readonly sceneNames?: readonly string[];
  /** Side information of items, by id: type, creators, tags, scene. */
  readonly infos?: ReadonlyMap<ItemId, ItemInfo>;
}

/** What is known of an item that a model does not know. */
export interface NewItem {
  readonly creators?: readonly string[];
  readonly tags?: readonly string[];
  /** Of those who have it: the mean of the input vectors of their other items, of any length. The first few hundred are enough. */
  readonly listeners?: readonly Float32Array[];
}

/** Vectors of a new item until the next generation, of the model's dimensions, to be used beside its own: for recall, never pooled. */
export interface ProvisionalVectors {
  readonly input: Float32Array;
  readonly output: Float32Array;
}

/** One point of the curve of losses: what a pair lost on average when the training had come to `share` of its way, 0 to 1. */
export interface LossPoint {
  readonly share: number;
  readonly loss: number;
}
