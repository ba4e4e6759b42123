import type { CatalogueNumber, Generation, ItemId } from "./ids.js";

/** Fixed-point one of all weights: 1.0 is stored as 1024. */
export const WEIGHT_ONE = 1024;

/** Which labels of an item become keywords of a fingerprint. Where nothing is configured: a user's tags, else creators, else items. */
export type KeywordKind = "tags" | "creators" | "items";

/**
 * Everything that decides how an event changes a row, in integers. It is a part of the catalogue, so a
 * change of configuration takes effect by an activation record and a replay folds with what was true then.
 */
export interface FoldSettings {
  /** Weight of each action, times WEIGHT_ONE; negative for skip and dislike. |weight| <= 64 * WEIGHT_ONE. */
  readonly actions: Readonly<Record<string, number>>;
  /** How an event's `value` scales its weight: times (1 + log2(1 + value / unit)), at most `maxScale`; absent: not at all. By action. */
  readonly values: Readonly<Record<string, { readonly unit: number; readonly maxScale: number }>>;
  /** Event-time decay: the grid of landmarks, and the factor per step of the grid times 2^32 (2^32 = no decay). */
  readonly decay: { readonly gridMs: number; readonly stepFactor: number };
  /** Most items in a profile; the weakest leaves and subtracts its contribution. 8..1024 */
  readonly profileItems: number;
  /** Event ids remembered per user. 0..1024 */
  readonly idempotencyRing: number;
  /** What a fingerprint is made of: weight by kind times WEIGHT_ONE (empty = the first kind of which the user has any), and the user's top keywords counted (0 = all). */
  readonly keywords: {
    readonly weights: Readonly<Partial<Record<KeywordKind, number>>>;
    readonly top: Readonly<Record<KeywordKind, number>>;
  };
}

/** What the fold needs to know of an item. */
export interface CatalogueItem {
  readonly tags?: readonly string[];
  /** What each of `tags` weighs against the others of the catalogue, above 0. Absent: 1. */
  readonly tagWeights?: readonly number[];
  readonly creators?: readonly string[];
}

/** Kind of the generation that needs no model: its item vectors are made of a hash. */
export const UNTRAINED_KIND = "random-indexing";

/** A live generation's item vectors, as users pool them. */
export interface GenerationRef {
  readonly generation: Generation;
  readonly dims: number;
  /** UNTRAINED_KIND needs no table (seed only); a trained model names its folder. */
  readonly kind: string;
  readonly seed: number;
  readonly folder?: string;
}

/** Immutable and numbered: a new one takes effect by its activation record, in every partition. */
export interface Catalogue {
  readonly number: CatalogueNumber;
  readonly settings: FoldSettings;
  readonly items: ReadonlyMap<ItemId, CatalogueItem>;
  /** At most three. */
  readonly generations: readonly GenerationRef[];
}

/**
 * Item vectors that users pool, quantised to integers so that sums are exact.
 * Bounds: |component| <= 32767, dims 8..1024.
 */
export interface ItemVectors {
  readonly dims: number;
  /** The item's quantised vector; undefined when the model has none for it. Must not be mutated. */
  vector(item: ItemId): Int16Array | undefined;
  /** What a pooled user is scored against; absent where the model has none (random indexing): items are then found by co-occurrence. */
  readonly outputs?: OutputVectors;
}

/** Item vectors of a live generation; those of a trained model have to be read first. */
export type ItemVectorsOf = (ref: GenerationRef) => ItemVectors | Promise<ItemVectors>;

/**
 * How a model compares items with items: cosine of their input vectors, or inner product of their output vectors (then items
 * that many people like are near everything).
 */
export type ItemComparison = "input-cosine" | "output-inner-product";

/**
 * The second vector of each item, of the same model and dims as the first: a pooled user likes an item as much as the inner
 * product of the two says. Lengths count (popular items have longer ones), so nothing is normalised.
 */
export interface OutputVectors {
  readonly itemsBy: ItemComparison;
  /** `dims` finite components; undefined, or zeros, when the item is not to be found by it. Must not be mutated. */
  vector(item: ItemId): Float32Array | undefined;
}
