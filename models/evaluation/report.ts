import type { LossPoint } from "../../schemas/model.js";
import type { Segment } from "./segments.js";
import type { Difference } from "./significance.js";

/** Means over queries by name: "recall@20", "recall@20/tail". null: no query counts. */
export type Figures = Readonly<Record<string, number | null>>;

/** What the models were measured on. */
export interface SplitFigures {
  readonly users: number;
  readonly items: number;
  readonly trainInteractions: number;
  readonly testInteractions: number;
  /** Users who were asked, with a history and items to be found: every mean of u2i and i2i is over them. */
  readonly testedUsers: number;
  /** All of whom those were drawn; the same where all were asked. */
  readonly testableUsers: number;
  /** In test without a history: there is nothing to pool, and no model was asked. */
  readonly usersWithoutHistory: number;
  /** Test interactions of tested users with items that are not in train: no model of train finds them. */
  readonly testOfNewItems: number;
  /** Test interactions with items of the same user's history: masked, so nobody finds them. */
  readonly testOfKnownItems: number;
  /** Users of test without a history who have more than so many items there: who was asked after that many of them. */
  readonly newcomers?: readonly { readonly events: number; readonly users: number }[];
  /** Items of each third, and train interactions that they have. */
  readonly segments: Readonly<Record<Segment, { readonly items: number; readonly interactions: number }>>;
}

export interface ModelReport {
  readonly name: string;
  readonly kind: string;
  /** null: no vectors. */
  readonly dims: number | null;
  /** Items that can be in its lists. */
  readonly items: number;
  readonly u2i: Figures;
  /** recall@k by type of the item, where there are several: "recall@20/song". */
  readonly types?: Figures;
  /** u2i of users who were not trained on, after their first events: "recall@20 after 3". */
  readonly newcomers?: Figures;
  /** Items near one item of the user's, held against the test; absent for baselines. */
  readonly i2i?: Figures;
  /** What the nearest users have in common, and whether they are those who are alike later; absent for baselines. */
  readonly u2u?: Figures;
  readonly friends?: { readonly pairs: number; readonly auc: number | null } & { readonly [metric: string]: number | null };
  /** coverage@k and gini@k of u2i's lists over the items of train and test; share@k/head ... of their places. */
  readonly exposure: Figures;
  /** How the loss went while it was trained, where its folder says so. */
  readonly losses?: readonly LossPoint[];
  /** Of this process while this model was measured. */
  readonly cpuSeconds: number;
}

/** `model` against the first of all models, query by query. */
export interface Comparison extends Difference {
  readonly model: string;
  readonly base: string;
  /** "u2i", "types", "newcomers", "i2i" or "u2u", and its metric. */
  readonly task: string;
  readonly metric: string;
  /** p after Holm's correction for all comparisons of the report. */
  readonly adjusted: number;
}

/** Plain JSON. */
export interface EvaluationReport {
  readonly format: 1;
  readonly split: SplitFigures;
  readonly settings: {
    readonly ks: readonly number[];
    readonly neighbours: number;
    readonly neighbourUsers: number;
    readonly rounds: number;
    readonly seed: number;
  };
  /** The baseline "popularity" is the last of them. */
  readonly models: readonly ModelReport[];
  /** The most that neighbours can have in common, by an exact search. */
  readonly exactNeighbours: Figures;
  readonly comparisons: readonly Comparison[];
}

/** As `--json` prints it: u2i of the first model at the top, "recall@20" and so on, and the whole report beside them. */
export const reportJson = (report: EvaluationReport): EvaluationReport & Figures =>
  ({ ...report.models[0]?.u2i, ...report }) as EvaluationReport & Figures;
