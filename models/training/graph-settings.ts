import { type CommonSettings, MAX_THREADS, type ModelKind, settingsOf } from "./model-kind.js";

/** How the graph model is trained. Defaults were chosen on a validation part of Gowalla's train file, for all data alike. */
export type GraphSettings = CommonSettings & {
  readonly epochs: number;
  /** Negatives that a batch of users shares. */
  readonly negatives: number;
  /** How many items each negative stands for in the softmax. */
  readonly negativeWeight: number;
  /** Least share of a history that is pooled to find the rest; the most is all but one. */
  readonly leastKept: number;
  /** Share of the steps in which only 1 or 2 items are pooled, as of somebody who is new. */
  readonly fewShare: number;
  /** What n hidden items of a user weigh together: n^(1 - this). */
  readonly userExponent: number;
  /** About how long the first step of a row is, in a space where rows begin with a length of 0.8; it falls linearly to none. */
  readonly rate: number;
  /** How far outputs go towards the propagated inputs after each epoch. */
  readonly smoothing: number;
  /** Exponents of users' and items' degrees that a propagation is divided by. */
  readonly smoothingUser: number;
  readonly smoothingItem: number;
  /** At the end, how many events the direction in which an item's users point counts for beside what its input vector has learned. */
  readonly inputSmoothing: number;
  /** How far input vectors turn towards where their items' users point after each epoch. */
  readonly inputSmoothingEach: number;
  /** Outputs are divided by their items' popularity to this power. */
  readonly debias: number;
  /** Events that what is known of an item's creators and tags counts for. */
  readonly sideWeight: number;
};

export const GRAPH_DEFAULTS: GraphSettings = Object.freeze({
  dims: 128,
  epochs: 80,
  seed: 1,
  threads: 1,
  negatives: 512,
  negativeWeight: 20,
  leastKept: 0.3,
  fewShare: 0.3,
  userExponent: 0.4,
  rate: 0.16,
  smoothing: 0.05,
  smoothingUser: 0.4,
  smoothingItem: 0.7,
  inputSmoothing: 0,
  inputSmoothingEach: 0.02,
  debias: 0,
  sideWeight: 2,
});

export const GRAPH_RANGES: ModelKind<GraphSettings>["ranges"] = {
  dims: [8, 1024, true],
  epochs: [0, 10_000, true],
  seed: [0, 0xffffffff, true],
  threads: [1, MAX_THREADS, true],
  negatives: [1, 65_536, true],
  negativeWeight: [0.01, 1e6, false],
  leastKept: [0, 1, false],
  fewShare: [0, 1, false],
  userExponent: [0, 1, false],
  rate: [1e-6, 10, false],
  smoothing: [0, 1, false],
  smoothingUser: [0, 4, false],
  smoothingItem: [0, 4, false],
  inputSmoothing: [0, 1e6, false],
  inputSmoothingEach: [0, 1, false],
  debias: [-1, 1, false],
  sideWeight: [0, 1000, false],
};

/** What each setting is, as --help has it. */
export const GRAPH_ABOUT: ModelKind<GraphSettings>["about"] = {
  dims: "dimensions of the vectors",
  epochs: "times that all histories are gone through; 0: the spectrum as it is",
  seed: "of all random choices",
  threads: "threads; with 1 the same command gives the same model bit for bit",
  negatives: "random items that a batch of users shares as negatives",
  negativeWeight: "how many items each negative stands for in the softmax",
  leastKept: "least share of a history that is pooled to find the rest of it",
  fewShare: "share of the steps in which only 1 or 2 items are pooled: above 0 for people with few events",
  userExponent: "n hidden items of a user weigh together n to the power of 1 - this",
  rate: "length of the first steps (vectors begin with about 0.8); it falls linearly to none",
  smoothing: "how far outputs go towards the inputs propagated over the graph, after each epoch",
  smoothingUser: "a propagation is divided by users' degrees to this power",
  smoothingItem: "a propagation is divided by items' degrees to this power: more for the long tail",
  inputSmoothing: "as many events as the direction of an item's users counts for in its input, at the end: more for people with few events",
  inputSmoothingEach: "how far inputs turn towards where their items' users point, after each epoch: more for people with few events",
  debias: "outputs are divided by popularity to this power: above 0 for the long tail, below for the head",
  sideWeight: "as many events as what is known of an item's creators and tags counts for; 0: nothing",
};

/** @throws KindredError INVALID_ARGUMENT naming the setting */
export const graphSettings = (given: Partial<GraphSettings> = {}): GraphSettings =>
  settingsOf({ kind: "graph", defaults: GRAPH_DEFAULTS, ranges: GRAPH_RANGES }, given);
