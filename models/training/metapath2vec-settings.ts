import { type CommonSettings, MAX_THREADS, type ModelKind, settingsOf } from "./model-kind.js";

/** How metapath2vec is trained. Defaults were chosen on a made-up town and on Last.fm (bench/metapath2vec-validation.ts). */
export type Metapath2vecSettings = CommonSettings & {
  /** Meta-paths, comma separated; "": by what the data have. */
  readonly path: string;
  /** Pairs of types that are each other's context, comma separated; "": all. */
  readonly context: string;
  /** Walks that begin at each node of a path's first type. */
  readonly epochs: number;
  /** Nodes of a walk. */
  readonly length: number;
  /** How far apart in a walk a node and its context may be. */
  readonly window: number;
  /** metapath2vec++: negatives are of the type of a context. */
  readonly heterogeneousNegatives: boolean;
  /** Negatives that the nodes of a part of a walk share. */
  readonly negatives: number;
  readonly negativeWeight: number;
  /** A node is a negative in proportion to its degree^exponent. */
  readonly exponent: number;
  /** An edge between user and item is walked in proportion to its strength^damping. */
  readonly damping: number;
  readonly optimizer: "adagrad" | "sgd";
  readonly rate: number;
  readonly lastRate: number;
};

export const METAPATH2VEC_DEFAULTS: Metapath2vecSettings = Object.freeze({
  dims: 128,
  path: "",
  context: "",
  epochs: 20,
  seed: 1,
  threads: 1,
  length: 40,
  window: 4,
  heterogeneousNegatives: false,
  negatives: 64,
  negativeWeight: 5,
  exponent: 0.25,
  damping: 0.25,
  optimizer: "adagrad",
  rate: 0.2,
  lastRate: 0.005,
});

export const METAPATH2VEC_RANGES: ModelKind<Metapath2vecSettings>["ranges"] = {
  dims: [8, 1024, true],
  path: "text",
  context: "text",
  epochs: [1, 10_000, true],
  seed: [0, 0xffffffff, true],
  threads: [1, MAX_THREADS, true],
  length: [2, 1000, true],
  window: [1, 100, true],
  heterogeneousNegatives: "boolean",
  negatives: [1, 4096, true],
  negativeWeight: [0.01, 1000, false],
  exponent: [-1, 2, false],
  damping: [0, 2, false],
  optimizer: ["adagrad", "sgd"],
  rate: [1e-6, 10, false],
  lastRate: [0, 10, false],
};

export const METAPATH2VEC_ABOUT: ModelKind<Metapath2vecSettings>["about"] = {
  dims: "dimensions of the vectors",
  path: "meta-paths, comma separated: user-song-user, user-song-artist-song-user, user-(like)song-(like)user (default: by what the data have)",
  context: "types that are each other's context, comma separated: user~song,song~song (default: all)",
  epochs: "walks that begin at each node of a path's first type",
  seed: "of all random choices",
  threads: "threads; with 1 the same command gives the same model bit for bit",
  length: "nodes of a walk",
  window: "how far apart in a walk a node and its context may be",
  heterogeneousNegatives: "metapath2vec++: negatives are of the type of a context",
  negatives: "random nodes that those of a part of a walk are held against together",
  negativeWeight: "what negatives weigh against one pair",
  exponent: "a node is a negative in proportion to its degree to this power",
  damping: "an edge between user and item is walked in proportion to its strength to this power",
  optimizer: "how steps are made",
  rate: "learning rate of the first step",
  lastRate: "learning rate of the last step",
};

/** @throws KindredError INVALID_ARGUMENT naming the setting */
export const metapath2vecSettings = (given: Partial<Metapath2vecSettings> = {}): Metapath2vecSettings =>
  settingsOf({ kind: "metapath2vec", defaults: METAPATH2VEC_DEFAULTS, ranges: METAPATH2VEC_RANGES }, given);
