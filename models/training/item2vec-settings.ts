import { type CommonSettings, MAX_THREADS, type ModelKind, settingsOf } from "./model-kind.js";

/** How item2vec is trained. Defaults were chosen on a validation part of Gowalla's train file, for all data alike. */
export type Item2vecSettings = CommonSettings & {
  readonly epochs: number;
  /** Items of a shuffled history that are each other's context. */
  readonly window: number;
  /** Negatives that the items of a window share. */
  readonly negatives: number;
  /** What negatives weigh against one pair: the K of the papers. */
  readonly negativeWeight: number;
  /** An item is a negative in proportion to popularity^exponent. */
  readonly exponent: number;
  /** Share of an item among all interactions above which occurrences are left out at random; 0: none is. */
  readonly sample: number;
  /** Of the negatives, those drawn from the type and popularity stratum of an item of the window. */
  readonly constrained: number;
  /** Popularity strata of each type. */
  readonly strata: number;
  readonly optimizer: "adagrad" | "sgd";
  /** Learning rate of the first step, and of the last. */
  readonly rate: number;
  readonly lastRate: number;
};

export const ITEM2VEC_DEFAULTS: Item2vecSettings = Object.freeze({
  dims: 128,
  epochs: 20,
  seed: 1,
  threads: 1,
  window: 12,
  negatives: 64,
  negativeWeight: 10,
  exponent: 0.25,
  sample: 0,
  constrained: 0.25,
  strata: 4,
  optimizer: "adagrad",
  rate: 0.4,
  lastRate: 0.005,
});

export const ITEM2VEC_RANGES: ModelKind<Item2vecSettings>["ranges"] = {
  dims: [8, 1024, true],
  epochs: [1, 10_000, true],
  seed: [0, 0xffffffff, true],
  threads: [1, MAX_THREADS, true],
  window: [2, 1024, true],
  negatives: [1, 4096, true],
  negativeWeight: [0.01, 1000, false],
  exponent: [-1, 2, false],
  sample: [0, 1, false],
  constrained: [0, 1, false],
  strata: [1, 64, true],
  optimizer: ["adagrad", "sgd"],
  rate: [1e-6, 10, false],
  lastRate: [0, 10, false],
};

/** What each setting is, as --help has it. */
export const ITEM2VEC_ABOUT: ModelKind<Item2vecSettings>["about"] = {
  dims: "dimensions of the vectors",
  epochs: "times that all histories are gone through",
  seed: "of all random choices",
  threads: "threads; with 1 the same command gives the same model bit for bit",
  window: "items of a shuffled history that are each other's context",
  negatives: "random items that those of a window are held against together",
  negativeWeight: "what negatives weigh against one pair",
  exponent: "an item is a negative in proportion to its popularity to this power",
  sample: "share of all interactions above which an item's are left out at random; 0: none",
  constrained: "share of negatives of the same type and popularity stratum as an item of the window: above 0 for the long tail",
  strata: "popularity strata of each type",
  optimizer: "how steps are made",
  rate: "learning rate of the first step",
  lastRate: "learning rate of the last step",
};

/** @throws KindredError INVALID_ARGUMENT naming the setting */
export const item2vecSettings = (given: Partial<Item2vecSettings> = {}): Item2vecSettings =>
  settingsOf({ kind: "item2vec", defaults: ITEM2VEC_DEFAULTS, ranges: ITEM2VEC_RANGES }, given);
