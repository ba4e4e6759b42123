import { loadAddon } from "./addon.js";

/** What a trainer is made with. Arrays are copied. */
export interface SkipGramOptions {
  /** 1..1024 */
  readonly dims: number;
  readonly epochs: number;
  /** With one, tables are the same bit for bit for the same options; more write without locks. */
  readonly threads: number;
  /** u32 */
  readonly seed: number;
  /** Items of a shuffled history that are each other's context. */
  readonly block: number;
  /** Negatives that a block shares. */
  readonly negatives: number;
  /** What they weigh together against one pair. */
  readonly negativeWeight: number;
  /** 0 to 1: of the negatives, those drawn from the stratum of an item of the block. */
  readonly strataShare: number;
  /** Learning rate of the first block, and of the last; linear between them. */
  readonly rate: number;
  readonly lastRate: number;
  /** AdaGrad with one accumulator a row; else plain descent. */
  readonly adagrad: boolean;
  /** Without the processor's vector instructions. */
  readonly plain: boolean;
  /** User u has rows[starts[u]] to rows[starts[u + 1] - 1]. */
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
  /** By item: weight as a negative (0: never one), its stratum, the probability that an occurrence is kept. */
  readonly weights: Float32Array;
  readonly strata: Uint32Array;
  readonly keep: Float32Array;
  /** In place of histories: rows are nodes of a graph, strata their types, and who is gone through are walkers. */
  readonly walks?: SkipGramWalks;
}

/** Walks along meta-paths, made as they are needed. */
export interface SkipGramWalks {
  readonly relations: readonly SkipGramRelation[];
  readonly paths: readonly SkipGramPath[];
  /** Nodes of a walk, at most. */
  readonly length: number;
  /** How far apart in a walk a node and its context may be. */
  readonly window: number;
  readonly types: number;
  /** contexts[a * types + b] is 1 where nodes of the type a have such of b as context. */
  readonly contexts: Uint32Array;
  /** Negatives are of the type of a context; else of any. */
  readonly typedNegatives: boolean;
}

/** Edges from the nodes first, first + 1, ...: number i of them has targets[starts[i]] to targets[starts[i + 1] - 1]. */
export interface SkipGramRelation {
  readonly first: number;
  readonly starts: Uint32Array;
  readonly targets: Uint32Array;
  /** Above 0: an edge is taken in proportion. */
  readonly weights: Float32Array;
}

export interface SkipGramPath {
  /** One a step, the first again after the last. */
  readonly relations: Uint32Array;
  /** Where walkers begin: one each. */
  readonly nodes: Uint32Array;
}

export interface SkipGramProgress {
  readonly epoch: number;
  /** Users of this epoch that are done. */
  readonly user: number;
  /** Of an item with another of its block, both ways counted. */
  readonly pairs: number;
  /** Sum of the loss over `lossPairs`, a sample. */
  readonly loss: number;
  readonly lossPairs: number;
  /** The same by equal shares of the whole training. */
  readonly curveLoss: readonly number[];
  readonly curvePairs: readonly number[];
  /** Of all threads. */
  readonly cpuSeconds: number;
}

export interface SkipGramTables {
  /** Row-major, one row an item. */
  readonly input: Float32Array;
  readonly output: Float32Array;
  /** AdaGrad's sums, one an item. */
  readonly inputSquares: Float32Array;
  readonly outputSquares: Float32Array;
}

export interface SkipGramTrainer {
  /** avx2 or plain. */
  readonly kernel: string;
  /** Goes on from where it is, on threads of its own. @returns whether all epochs are done; false after `stop` */
  train(): Promise<boolean>;
  /** Users begun are done first. */
  stop(): void;
  progress(): SkipGramProgress;
  /** Copies; not while training. With `progress` they are all that another trainer with the same options needs to go on bit-identically. */
  read(): SkipGramTables;
  write(tables: SkipGramTables, progress: SkipGramProgress): void;
  /** One step with a block and negatives of the caller's choice. */
  step(own: Uint32Array, negatives: Uint32Array, rate: number): void;
  /** The walk that training makes for a walker in an epoch. */
  walk(epoch: number, walker: number): Uint32Array;
}

interface SkipGramExports {
  readonly SkipGramTrainer: new (options: SkipGramOptions) => SkipGramTrainer;
}

/** @throws Error with `code` INVALID_ARGUMENT, OUT_OF_MEMORY or ADDON_MISSING */
export function createSkipGramTrainer(options: SkipGramOptions): SkipGramTrainer {
  const { SkipGramTrainer } = loadAddon() as SkipGramExports;
  return new SkipGramTrainer(options);
}
