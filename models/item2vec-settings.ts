import { KindredError } from "../schemas/errors.js";

/** How item2vec is trained. Defaults were chosen on a validation part of Gowalla's train file, for all data alike. */
export interface Item2vecSettings {
  readonly dims: number;
  readonly epochs: number;
  /** u32 */
  readonly seed: number;
  /** With one, the same data and settings give the same model bit for bit. */
  readonly threads: number;
  /** Items of a shuffled history that are each other's context: 2 to 1024. */
  readonly window: number;
  /** Negatives that the items of a window share: 1 to 4096. */
  readonly negatives: number;
  /** What negatives weigh against one pair: the K of the papers. */
  readonly negativeWeight: number;
  /** An item is a negative in proportion to popularity^exponent: -1 to 2. */
  readonly exponent: number;
  /** Share of an item among all interactions above which occurrences are left out at random; 0: none is. */
  readonly sample: number;
  /** Of the negatives, those drawn from the type and popularity stratum of an item of the window: 0 to 1. */
  readonly constrained: number;
  /** Popularity strata of each type: 1 to 64. */
  readonly strata: number;
  readonly optimizer: "adagrad" | "sgd";
  /** Learning rate of the first step, and of the last. */
  readonly rate: number;
  readonly lastRate: number;
}

export const ITEM2VEC_DEFAULTS: Item2vecSettings = Object.freeze({
  dims: 128,
  epochs: 20,
  seed: 1,
  threads: 1,
  window: 32,
  negatives: 64,
  negativeWeight: 10,
  exponent: 0.5,
  sample: 0,
  constrained: 0,
  strata: 4,
  optimizer: "adagrad",
  rate: 0.05,
  lastRate: 0.005,
});

type NumberKey = Exclude<keyof Item2vecSettings, "optimizer">;

/** By setting: the least, the most, and whether it is an integer. */
export const ITEM2VEC_RANGES: Readonly<Record<NumberKey, readonly [least: number, most: number, integer: boolean]>> = {
  dims: [8, 1024, true],
  epochs: [1, 10_000, true],
  seed: [0, 0xffffffff, true],
  threads: [1, 64, true],
  window: [2, 1024, true],
  negatives: [1, 4096, true],
  negativeWeight: [0.01, 1000, false],
  exponent: [-1, 2, false],
  sample: [0, 1, false],
  constrained: [0, 1, false],
  strata: [1, 64, true],
  rate: [1e-6, 10, false],
  lastRate: [0, 10, false],
};

/** @throws KindredError INVALID_ARGUMENT naming the setting */
export function item2vecSettings(given: Partial<Item2vecSettings> = {}): Item2vecSettings {
  const settings = { ...ITEM2VEC_DEFAULTS, ...given };
  for (const [key, [least, most, integer]] of Object.entries(ITEM2VEC_RANGES) as [NumberKey, readonly [number, number, boolean]][]) {
    const value: unknown = settings[key];
    if (typeof value !== "number" || !(value >= least && value <= most) || (integer && !Number.isInteger(value)))
      throw new KindredError("INVALID_ARGUMENT", `${key} is ${integer ? "an integer" : "a number"} from ${least} to ${most}`, key);
  }
  if (settings.optimizer !== "adagrad" && settings.optimizer !== "sgd")
    throw new KindredError("INVALID_ARGUMENT", "optimizer is adagrad or sgd", "optimizer");
  const unknown = Object.keys(settings).find((key) => !Object.hasOwn(ITEM2VEC_DEFAULTS, key));
  if (unknown !== undefined) throw new KindredError("INVALID_ARGUMENT", `${unknown} is no setting of item2vec`, unknown);
  return Object.freeze(settings);
}
