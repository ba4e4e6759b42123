import { loadAddon } from "./addon.js";
import type { SkipGramTrainer } from "./skip-gram.js";

/** Who has what, as a sparse matrix. Arrays are copied. */
export interface InteractionGraph {
  readonly items: number;
  /** User u has rows[starts[u]] to rows[starts[u + 1] - 1]. */
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
  /** Of each of rows, > 0; only their proportions count. Absent: all 1. */
  readonly weights?: Float32Array | undefined;
}

/** What a trainer is made with. */
export interface InteractionGraphOptions extends InteractionGraph {
  /** 1..1024 */
  readonly dims: number;
  /** 0: the spectrum as it is. */
  readonly epochs: number;
  /** With one, tables are the same bit for bit for the same options; more write without locks. */
  readonly threads: number;
  /** u32 */
  readonly seed: number;
  /** Over the edges, for the spectrum. */
  readonly passes: number;
  /** Negatives that a batch shares. */
  readonly negatives: number;
  /** How many items each of them stands for in the softmax. */
  readonly negativeWeight: number;
  /** Of a history, the share that is pooled to find the rest: drawn between these. */
  readonly leastKept: number;
  readonly mostKept: number;
  /** Share of a user's steps in which only 1 to `few` items are pooled, as of somebody who is new. */
  readonly fewShare: number;
  readonly few: number;
  /** Hidden items that a step learns from at most. */
  readonly positives: number;
  /** What n hidden items weigh together: n^(1 - this). */
  readonly userExponent: number;
  /** Learning rate of the first step; it falls linearly to none. */
  readonly rate: number;
  /** Of a row's squared gradients, the share that its next step leaves. */
  readonly memory: number;
  /** How far outputs go towards the propagated inputs after each epoch, 0 to 1. */
  readonly smoothing: number;
  /** Exponents of the degrees that those are divided by. */
  readonly smoothingUser: number;
  readonly smoothingItem: number;
  /** At the end, how many events the direction in which an item's users point counts for beside what its input vector has learned. */
  readonly inputSmoothing: number;
  /** How far inputs turn towards where their items' users point after each epoch, 0 to 1. */
  readonly inputSmoothingEach: number;
  /** Without the processor's vector instructions. */
  readonly plain: boolean;
}

export interface InteractionExample {
  readonly user: number;
  readonly kept: Uint32Array;
  /** Of each of kept. */
  readonly weights: Float32Array;
  readonly hidden: Uint32Array;
}

/** As the trainer of skip-gram, but that epoch 0 is the spectrum, `epochs` epochs follow, and the smoothing of inputs is one more. Pairs are hidden items learned from. */
export interface InteractionGraphTrainer extends Omit<SkipGramTrainer, "step" | "walk"> {
  /** One step with users, what they keep and hide, and negatives of the caller's choice. */
  step(examples: readonly InteractionExample[], negatives: Uint32Array, rate: number): void;
  /** What follows each epoch. */
  smooth(): void;
  /** What follows the last. */
  smoothInputs(): void;
}

export interface GraphSpectrum {
  /** Falling; zeros beyond the rank of the matrix. */
  readonly values: Float32Array;
  /** Row-major, one row an item. */
  readonly vectors: Float32Array;
}

export interface SpectrumOptions extends InteractionGraph {
  readonly rank: number;
  readonly passes: number;
  readonly seed: number;
  readonly plain: boolean;
}

interface InteractionGraphExports {
  readonly InteractionGraphTrainer: new (options: InteractionGraphOptions) => InteractionGraphTrainer;
  readonly interactionGraphSpectrum: (options: SpectrumOptions) => GraphSpectrum;
}

/** @throws Error with `code` INVALID_ARGUMENT, OUT_OF_MEMORY or ADDON_MISSING */
export function createInteractionGraphTrainer(options: InteractionGraphOptions): InteractionGraphTrainer {
  const { InteractionGraphTrainer } = loadAddon() as InteractionGraphExports;
  return new InteractionGraphTrainer(options);
}

/** Largest singular values of the normalised matrix of users and items, with its vectors on the side of items; on this thread. @throws as above */
export function interactionGraphSpectrum(options: SpectrumOptions): GraphSpectrum {
  return (loadAddon() as InteractionGraphExports).interactionGraphSpectrum(options);
}
