import type { ItemModel, LossPoint } from "../../schemas/model.js";
import type { Compared } from "./comparisons.js";
import { exposureOf } from "./exposure.js";
import { type Friendship, friendFigures } from "./friends.js";
import { meanOf, type QueryValues, type Segments } from "./list-metrics.js";
import { newcomerLists } from "./newcomer-lists.js";
import { itemLists, type ListOptions, type RankedLists, userLists } from "./rank-lists.js";
import { itemsToItems, popularity, type Ranker, usersToItems } from "./ranker.js";
import type { EvaluationReport, Figures, ModelReport } from "./report.js";
import { SEGMENTS } from "./segments.js";
import type { SharedRows } from "./shared-rows.js";
import { userAuc } from "./user-auc.js";
import { neighbourJaccard, usersByCosine } from "./user-neighbours.js";

export interface NamedModel {
  /** Unlike all others, and not "popularity". */
  readonly name: string;
  readonly model: ItemModel;
  /** The curve of its training, for the report. */
  readonly losses?: readonly LossPoint[];
}

/** What all models of a report are asked. */
export interface Questions {
  readonly shared: SharedRows;
  readonly segments: Segments;
  /** Undefined where all items are of one type. */
  readonly types: Segments | undefined;
  /** Who is alike later, of each user whose neighbours are looked at. */
  readonly alikeLater: readonly Uint32Array[];
  /** Events after which newcomers are asked; none: they are not. */
  readonly newcomers: readonly number[];
  readonly settings: EvaluationReport["settings"];
  readonly friendships?: readonly Friendship[];
  readonly signal?: AbortSignal;
}

/** Of one model, with what each query had. */
export interface Measured extends Compared {
  readonly report: ModelReport;
}

/** The baseline's name in reports. */
export const POPULARITY = "popularity";

type OnProgress = (done: number, total: number) => void;

export async function measureModel(named: NamedModel, questions: Questions, onProgress: OnProgress): Promise<Measured> {
  const cpu = process.cpuUsage();
  const { name, model, losses = [] } = named;
  const { shared, settings } = questions;
  const forUsers = await askForUsers(usersToItems(model, shared), questions, onProgress);
  const forItems = await itemLists(itemsToItems(model, shared), shared, { ...listOptions(questions, onProgress), seed: settings.seed });
  const i2i = forItems.metrics.values;
  const u2u: QueryValues =
    settings.neighbourUsers === 0
      ? new Map()
      : await neighbourJaccard(usersByCosine(model, shared), shared, questions.alikeLater, neighbourOptions(questions));
  const friends = questions.friendships && (await friendsOf(model, questions, questions.friendships));
  const report: ModelReport = {
    ...{ name, kind: model.kind, dims: model.input.dims, ...forUsers.report, i2i: figuresOf(i2i), u2u: figuresOf(u2u) },
    ...(friends && { friends }),
    ...(losses.length > 0 && { losses }),
    cpuSeconds: cpuSecondsSince(cpu),
  };
  return { name, report, tasks: { ...forUsers.tasks, i2i, u2u } };
}

export async function measureBaseline(questions: Questions, onProgress: OnProgress): Promise<Measured> {
  const cpu = process.cpuUsage();
  const { report, tasks } = await askForUsers(popularity(questions.shared), questions, onProgress);
  return {
    name: POPULARITY,
    report: { name: POPULARITY, kind: POPULARITY, dims: null, ...report, cpuSeconds: cpuSecondsSince(cpu) },
    tasks,
  };
}

type ForUsers = Pick<ModelReport, "items" | "u2i" | "types" | "newcomers" | "exposure">;

/** Whatever is asked of a ranking of items for users. */
async function askForUsers(
  ranker: Ranker,
  questions: Questions,
  onProgress: OnProgress,
): Promise<{ report: ForUsers; tasks: Record<string, QueryValues> }> {
  const { shared, segments, types, settings, signal, newcomers: after } = questions;
  const stop = signal && { signal };
  const lists = await userLists(ranker, shared, { ...listOptions(questions, onProgress), segments, ...(types && { types }) });
  const u2i = new Map([...lists.metrics.values, ...userAuc(ranker, shared, { seed: settings.seed, ...stop })]);
  const newcomers = await newcomerLists(ranker, shared, after, { ks: settings.ks, ...stop });
  return {
    report: {
      items: ranker.candidates.rows.length,
      u2i: figuresOf(u2i),
      ...(types && { types: figuresOf(lists.byType) }),
      ...(after.length > 0 && { newcomers: figuresOf(newcomers) }),
      exposure: exposureFigures(lists, segments, shared),
    },
    tasks: { u2i, types: lists.byType, newcomers },
  };
}

async function friendsOf(model: ItemModel, questions: Questions, friendships: readonly Friendship[]): Promise<ModelReport["friends"]> {
  const { auc, pairs, values } = await friendFigures(model, questions.shared, friendships, neighbourOptions(questions));
  return { pairs, auc: orNull(auc), ...figuresOf(values) };
}

function exposureFigures({ counts }: RankedLists, segments: Segments, { known, tested }: SharedRows): Figures {
  // Nobody was shown anything.
  if (tested.length === 0) return {};
  const figures = [...counts].flatMap(([k, all]): [string, number | null][] => {
    // Not of items that only some model knows: the figure would change with the models that are compared.
    const places = all.subarray(0, known);
    const { coverage, gini } = exposureOf(places);
    const shares = SEGMENTS.map((segment, s): [string, number | null] => {
      const inSegment = places.filter((_, row) => segments.segmentOf[row] === s);
      return [`share@${k}/${segment}`, orNull(sumOf(inSegment) / sumOf(places))];
    });
    return [[`coverage@${k}`, coverage], [`gini@${k}`, orNull(gini)], ...shares];
  });
  return Object.fromEntries(figures);
}

const listOptions = ({ settings, signal }: Questions, onProgress: OnProgress): ListOptions => ({
  ks: settings.ks,
  onProgress,
  ...(signal && { signal }),
});

export const neighbourOptions = ({ settings, signal }: Pick<Questions, "settings" | "signal">) => ({
  k: settings.neighbours,
  users: settings.neighbourUsers,
  seed: settings.seed,
  ...(signal && { signal }),
});

export const figuresOf = (values: QueryValues): Figures => Object.fromEntries([...values].map(([name, of]) => [name, orNull(meanOf(of))]));

/** JSON has no NaN. */
const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);
const sumOf = (counts: Uint32Array): number => counts.reduce((sum, count) => sum + count, 0);

function cpuSecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return Math.round((user + system) / 1e4) / 100;
}
