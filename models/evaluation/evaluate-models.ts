import { KindredError } from "../../schemas/errors.js";
import type { Histories, ItemModel } from "../../schemas/model.js";
import { type Compared, compare } from "./comparisons.js";
import { exposureOf } from "./exposure.js";
import { type Friendship, friendFigures } from "./friends.js";
import { meanOf, type QueryValues, type Segments } from "./list-metrics.js";
import { itemLists, type ListOptions, type RankedLists, userLists } from "./rank-lists.js";
import { itemsToItems, popularity, type Ranker, usersToItems } from "./ranker.js";
import type { EvaluationReport, Figures, ModelReport } from "./report.js";
import { SEGMENTS, segmentsOf } from "./segments.js";
import { listenersOf, type SharedRows, sampleTested, shareRows } from "./shared-rows.js";
import { splitFigures } from "./split-figures.js";
import { exactJaccard, neighbourJaccard, usersByCosine } from "./user-neighbours.js";

export interface NamedModel {
  /** Unlike all others, and not "popularity". */
  readonly name: string;
  readonly model: ItemModel;
}

export interface EvaluationOptions {
  /** Lengths of lists: 20. */
  readonly ks?: readonly number[];
  /** Users who are asked, drawn by the seed: all. */
  readonly users?: number;
  /** Neighbours a user of u2u: 50. */
  readonly neighbours?: number;
  /** Users whose neighbours are looked at, drawn by the seed: 1,000. 0: none. */
  readonly neighbourUsers?: number;
  readonly friendships?: readonly Friendship[];
  /** Of each significance test: 2,000. 0: none are made. */
  readonly rounds?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Queries done of all, over all models. */
  readonly onProgress?: (done: number, total: number) => void;
}

type Settings = EvaluationReport["settings"] & Pick<EvaluationOptions, "signal" | "friendships">;

/** Of one model, with what each query had. */
interface Measured extends Compared {
  readonly report: ModelReport;
}

/** The baseline's name in reports. */
export const POPULARITY = "popularity";

/**
 * Measures models side by side, and popularity beside them: u2i, i2i and u2u, by the same users, items and draws for all; each but the
 * first against the first, in pairs. The order of users and items is that of `train`.
 * @throws KindredError INVALID_ARGUMENT: a model, histories or options that are none; or with the reason of `signal`
 */
export async function evaluateModels(
  models: readonly NamedModel[],
  train: Histories,
  test: Histories,
  options: EvaluationOptions = {},
): Promise<EvaluationReport> {
  const settings = settingsOf(options);
  checkNames(models);
  const all = shareRows(
    train,
    test,
    models.map(({ model }) => model),
  );
  const shared = sampleTested(all, options.users ?? all.testable, settings.seed);
  const listeners = listenersOf(shared);
  const segments: Segments = { names: SEGMENTS, segmentOf: segmentsOf(listeners) };
  const progress = progressOf(options, shared.tested.length * (2 * models.length + 1));
  const measured: Measured[] = [];
  for (const model of models) measured.push(await measureModel(model, shared, segments, settings, progress));
  measured.push(await measureBaseline(shared, segments, settings, progress));
  const { signal: _, friendships: __, ...kept } = settings;
  return {
    format: 1,
    split: splitFigures(shared, segments, listeners),
    settings: kept,
    models: measured.map(({ report }) => report),
    exactNeighbours: settings.neighbourUsers === 0 ? {} : figuresOf(exactJaccard(shared, neighbourOptions(settings))),
    comparisons: settings.rounds === 0 ? [] : compare(measured, settings),
  };
}

function settingsOf(options: EvaluationOptions): Settings {
  const { ks = [20], users = 1, neighbours = 50, neighbourUsers = 1000, rounds = 2000, seed = 1, signal, friendships } = options;
  const whole = (name: string, value: number, least: number, most: number): void => {
    if (!Number.isInteger(value) || value < least || value > most)
      throw new KindredError("INVALID_ARGUMENT", `${name} is a whole number from ${least} to ${most}, not ${value}`, name);
  };
  if (ks.length === 0 || new Set(ks).size !== ks.length)
    throw new KindredError("INVALID_ARGUMENT", `ks are different lengths of lists, not [${ks.join(", ")}]`, "ks");
  for (const k of ks) whole("k", k, 1, 10_000);
  whole("users", users, 1, 2 ** 31);
  whole("neighbours", neighbours, 1, 10_000);
  whole("neighbourUsers", neighbourUsers, 0, 2 ** 31);
  whole("rounds", rounds, 0, 1_000_000);
  whole("seed", seed, 0, 2 ** 32 - 1);
  return { ks, neighbours, neighbourUsers, rounds, seed, ...(signal && { signal }), ...(friendships && { friendships }) };
}

function checkNames(models: readonly NamedModel[]): void {
  const names = [...models.map(({ name }) => name), POPULARITY];
  if (new Set(names).size !== names.length)
    throw new KindredError("INVALID_ARGUMENT", `models have different names: ${names.join(", ")}`, "models");
}

type Progress = (done: number, total: number) => void;

/** Adds the lists of one ranking after another up to one count. */
function progressOf({ onProgress }: EvaluationOptions, all: number): Progress {
  let before = 0;
  return (done, total) => {
    onProgress?.(before + done, all);
    if (done === total) before += total;
  };
}

async function measureModel(
  { name, model }: NamedModel,
  shared: SharedRows,
  segments: Segments,
  settings: Settings,
  onProgress: Progress,
): Promise<Measured> {
  const cpu = process.cpuUsage();
  const listOptions: ListOptions = { ks: settings.ks, onProgress, ...(settings.signal && { signal: settings.signal }) };
  const ranker = usersToItems(model, shared);
  const u2i = await userLists(ranker, shared, { ...listOptions, segments });
  const i2i = await itemLists(itemsToItems(model, shared), shared, { ...listOptions, seed: settings.seed });
  const u2u: QueryValues =
    settings.neighbourUsers === 0 ? new Map() : await neighbourJaccard(usersByCosine(model, shared), shared, neighbourOptions(settings));
  const friends = settings.friendships && (await friendsOf(model, shared, settings));
  const dims = model.input.dims;
  const report: ModelReport = {
    ...reportOf(name, model.kind, dims, ranker, u2i, segments, shared),
    i2i: figuresOf(i2i.metrics.values),
    u2u: figuresOf(u2u),
    ...(friends && { friends }),
    cpuSeconds: cpuSecondsSince(cpu),
  };
  return { name, report, tasks: { u2i: u2i.metrics.values, i2i: i2i.metrics.values, u2u } };
}

async function measureBaseline(shared: SharedRows, segments: Segments, settings: Settings, onProgress: Progress): Promise<Measured> {
  const cpu = process.cpuUsage();
  const ranker = popularity(shared);
  const u2i = await userLists(ranker, shared, {
    ks: settings.ks,
    segments,
    onProgress,
    ...(settings.signal && { signal: settings.signal }),
  });
  const report = { ...reportOf(POPULARITY, POPULARITY, null, ranker, u2i, segments, shared), cpuSeconds: cpuSecondsSince(cpu) };
  return { name: POPULARITY, report, tasks: { u2i: u2i.metrics.values } };
}

async function friendsOf(model: ItemModel, shared: SharedRows, settings: Settings): Promise<NonNullable<ModelReport["friends"]>> {
  const { auc, pairs, values } = await friendFigures(model, shared, settings.friendships ?? [], neighbourOptions(settings));
  return { pairs, auc: orNull(auc), ...figuresOf(values) };
}

function reportOf(
  name: string,
  kind: string,
  dims: number | null,
  ranker: Ranker,
  { metrics, counts }: RankedLists,
  segments: Segments,
  { known }: SharedRows,
): Omit<ModelReport, "cpuSeconds"> {
  const exposure = [...counts].flatMap(([k, all]): [string, number | null][] => {
    // Not of items that only some model knows: the figure would change with the models that are compared.
    const places = all.subarray(0, known);
    const { coverage, gini } = exposureOf(places);
    const shares = SEGMENTS.map((segment, s): [string, number | null] => {
      const inSegment = places.filter((_, row) => segments.segmentOf[row] === s);
      return [`share@${k}/${segment}`, orNull(sumOf(inSegment) / sumOf(places))];
    });
    return [[`coverage@${k}`, coverage], [`gini@${k}`, orNull(gini)], ...shares];
  });
  const items = ranker.candidates.rows.length;
  return { name, kind, dims, items, u2i: figuresOf(metrics.values), exposure: Object.fromEntries(exposure) };
}

const neighbourOptions = ({ neighbours, neighbourUsers, seed, signal }: Settings) => ({
  k: neighbours,
  users: neighbourUsers,
  seed,
  ...(signal && { signal }),
});

const figuresOf = (values: QueryValues): Figures => Object.fromEntries([...values].map(([name, of]) => [name, orNull(meanOf(of))]));

/** JSON has no NaN. */
const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);
const sumOf = (counts: Uint32Array): number => counts.reduce((sum, count) => sum + count, 0);

function cpuSecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return Math.round((user + system) / 1e4) / 100;
}
