import { KindredError } from "../../schemas/errors.js";
import type { ItemId } from "../../schemas/ids.js";
import type { Histories } from "../../schemas/model.js";
import { compare } from "./comparisons.js";
import type { Friendship } from "./friends.js";
import { itemTypes } from "./item-types.js";
import { figuresOf, type Measured, measureBaseline, measureModel, type NamedModel, neighbourOptions, POPULARITY } from "./measure-model.js";
import { newcomersAfter } from "./newcomer-lists.js";
import type { EvaluationReport } from "./report.js";
import { SEGMENTS, segmentsOf } from "./segments.js";
import { listenersOf, type SharedRows, sampleTested, shareRows } from "./shared-rows.js";
import { splitFigures } from "./split-figures.js";
import { alikeLater, exactJaccard } from "./user-neighbours.js";

export type { NamedModel } from "./measure-model.js";

export interface EvaluationOptions {
  /** Lengths of lists: 20. */
  readonly ks?: readonly number[];
  /** Users who are asked, drawn by the seed: all. */
  readonly users?: number;
  /** Neighbours a user of u2u: 50. */
  readonly neighbours?: number;
  /** Users whose neighbours are looked at, drawn by the seed: 1,000. 0: none. */
  readonly neighbourUsers?: number;
  /** After how many of their events users are asked whom train does not know: none are. */
  readonly newcomers?: readonly number[];
  readonly friendships?: readonly Friendship[];
  /** Type of an item; what its id says where this says nothing. */
  readonly typeOf?: (item: ItemId) => string | undefined;
  /** Of each significance test: 2,000. 0: none are made. */
  readonly rounds?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Queries done of all, over all models. */
  readonly onProgress?: (done: number, total: number) => void;
}

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
  const newcomers = (options.newcomers ?? []).length > 0;
  const all = shareRows(
    train,
    test,
    models.map(({ model }) => model),
    { newcomers },
  );
  return evaluateShared(models, all, options);
}

/** The same over rows that are shared already, by the same models. @throws as evaluateModels does */
export async function evaluateShared(
  models: readonly NamedModel[],
  all: SharedRows,
  options: EvaluationOptions = {},
): Promise<EvaluationReport> {
  const settings = settingsOf(options);
  checkNames(models);
  const { signal, friendships, newcomers = [] } = options;
  const shared = options.users === undefined ? all : sampleTested(all, options.users, settings.seed);
  const listeners = listenersOf(shared);
  const segments = { names: SEGMENTS, segmentOf: segmentsOf(listeners) };
  const neighbours = neighbourOptions({ settings, ...(signal && { signal }) });
  const looksAtNeighbours = settings.neighbourUsers > 0;
  const questions = {
    ...{ shared, segments, settings, newcomers },
    types: itemTypes(shared, options.typeOf),
    alikeLater: looksAtNeighbours && models.length > 0 ? alikeLater(shared, neighbours) : [],
    ...(signal && { signal }),
    ...(friendships && { friendships }),
  };
  const progress = progressOf(options, shared.tested.length * (2 * models.length + 1));
  const measured: Measured[] = [];
  for (const model of models) measured.push(await measureModel(model, questions, progress));
  measured.push(await measureBaseline(questions, progress));
  const asked = newcomers.map((events) => ({ events, users: newcomersAfter(shared, events).length }));
  return {
    format: 1,
    split: { ...splitFigures(shared, segments, listeners), ...(asked.length > 0 && { newcomers: asked }) },
    settings,
    models: measured.map(({ report }) => report),
    exactNeighbours: looksAtNeighbours ? figuresOf(exactJaccard(shared, neighbours)) : {},
    comparisons: settings.rounds === 0 ? [] : compare(measured, settings),
  };
}

function settingsOf(options: EvaluationOptions): EvaluationReport["settings"] {
  const { ks = [20], users = 1, neighbours = 50, neighbourUsers = 1000, newcomers = [], rounds = 2000, seed = 1 } = options;
  const whole = (name: string, value: number, least: number, most: number): void => {
    if (!Number.isInteger(value) || value < least || value > most)
      throw new KindredError("INVALID_ARGUMENT", `${name} is a whole number from ${least} to ${most}, not ${value}`, name);
  };
  if (ks.length === 0 || new Set(ks).size !== ks.length)
    throw new KindredError("INVALID_ARGUMENT", `ks are different lengths of lists, not [${ks.join(", ")}]`, "ks");
  for (const k of ks) whole("k", k, 1, 10_000);
  if (new Set(newcomers).size !== newcomers.length)
    throw new KindredError("INVALID_ARGUMENT", `newcomers are different numbers of events, not [${newcomers.join(", ")}]`, "newcomers");
  for (const events of newcomers) whole("newcomers", events, 0, 10_000);
  whole("users", users, 1, 2 ** 31);
  whole("neighbours", neighbours, 1, 10_000);
  whole("neighbourUsers", neighbourUsers, 0, 2 ** 31);
  whole("rounds", rounds, 0, 1_000_000);
  whole("seed", seed, 0, 2 ** 32 - 1);
  return { ks, neighbours, neighbourUsers, rounds, seed };
}

function checkNames(models: readonly NamedModel[]): void {
  const names = [...models.map(({ name }) => name), POPULARITY];
  if (new Set(names).size !== names.length)
    throw new KindredError("INVALID_ARGUMENT", `models must have different names: ${names.join(", ")}`, "models");
}

/** Adds the lists of one ranking after another up to one count. */
function progressOf({ onProgress }: EvaluationOptions, all: number): (done: number, total: number) => void {
  let before = 0;
  return (done, total) => {
    onProgress?.(before + done, all);
    if (done === total) before += total;
  };
}
