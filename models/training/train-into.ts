import type { ItemModel, TrainingSet } from "../../schemas/model.js";
import { checkReplaceable, recoverFolder } from "../model-folder/folder-files.js";
import { isModelPart, saveModel } from "../model-folder/model-folder.js";
import { Provisional } from "../provisional/provisional.js";
import { sampleUsers, trainingDataOf } from "../training-set/training-set.js";
import { hasCheckpoint, loadCheckpoint, recoverCheckpoint, removeCheckpoint, saveCheckpoint, type TrainingIdentity } from "./checkpoint.js";
import { type CommonSettings, type ModelKind, type SettingValue, settingsOf, type Trained, type TrainingOptions } from "./model-kind.js";

export interface TrainingReport extends Pick<Trained, "done" | "kernel" | "cpuSeconds"> {
  /** Whether it went on from a checkpoint. */
  readonly resumed: boolean;
  readonly items: number;
  readonly users: number;
  readonly pairs: number;
  /** Mean over the whole training. */
  readonly loss: number;
}

export interface IntoOptions extends Omit<TrainingOptions, "from" | "onCheckpoint"> {
  /** Begins anew where a checkpoint is. */
  readonly restart?: boolean;
}

/**
 * Trains a model into a folder. Now and then, and when it is stopped, it leaves a checkpoint there (and the model that may be there already as
 * it is); called again with the same data and settings it goes on from it. The number of threads may be another; with one
 * thread all the time the model is that of a training that was never stopped, bit for bit.
 * @throws KindredError INVALID_ARGUMENT, MODEL_INVALID (a checkpoint of other data or settings, or damaged), STORAGE_FAILED
 */
export async function trainInto<Settings extends CommonSettings & Readonly<Record<string, SettingValue>>>(
  directory: string,
  kind: ModelKind<Settings>,
  set: TrainingSet,
  given: Partial<Settings>,
  { restart = false, ...options }: IntoOptions = {},
): Promise<TrainingReport> {
  const settings = settingsOf(kind, given);
  // Before hours of work, not after.
  await recoverFolder(directory);
  await checkReplaceable(directory, isModelPart);
  await recoverCheckpoint(directory);
  const data = trainingDataOf(set);
  const { threads: _, ...identifying } = settings;
  const identity: TrainingIdentity = { kind: kind.kind, data: data.fingerprint, settings: identifying };
  const resumed = !restart && hasCheckpoint(directory);
  const from = resumed ? await loadCheckpoint(directory, identity) : undefined;
  const onCheckpoint: TrainingOptions["onCheckpoint"] = (state) => saveCheckpoint(directory, identity, state);
  const trained = await kind.train(set, settings, { ...options, onCheckpoint, ...(from && { from }) });
  const { done, state, kernel, losses, metrics, cpuSeconds } = trained;
  if (done) {
    const model = centred(trained.model);
    const newItems = forNewItems(model, set, settings.seed);
    await saveModel(directory, model, {
      seed: settings.seed,
      data,
      settings: { ...settings },
      metrics,
      losses,
      ...(newItems && { newItems }),
    });
    await removeCheckpoint(directory);
  } else await saveCheckpoint(directory, identity, state);
  const { items, users } = set.histories;
  const { pairs, loss } = metrics;
  return { done, resumed, kernel, items: items.length, users: users.length, pairs, loss, cpuSeconds };
}

/** Users by whom it is learned what an item is whose first listeners are known. */
const MOST_USERS = 50_000;

/** What the vectors of items are made of that come after the training; undefined where the model teaches nothing of that. */
function forNewItems(model: ItemModel, { histories, infos }: TrainingSet, seed: number): Provisional | undefined {
  const fitted = Provisional.fit(model, sampleUsers(histories, MOST_USERS, seed), { seed, ...(infos && { infos }) });
  return fitted.knows ? fitted : undefined;
}

/**
 * Outputs less their mean. It takes the same from every item's score for one user, so that nobody's order changes, and makes a score say
 * something by itself: above 0 an item is liked more than the average one. As skip-gram leaves them, the scores of all may be below.
 * What has zeros is not found, and keeps them.
 */
export function centred(model: ItemModel): ItemModel {
  const { dims, values } = model.output;
  if (model.score !== "dot") return model;
  const found = [...model.items.keys()].filter((row) => values.subarray(row * dims, (row + 1) * dims).some((x) => x !== 0));
  const mean = new Float64Array(dims);
  for (const row of found) for (let d = 0; d < dims; d++) mean[d]! += values[row * dims + d]! / found.length;
  const output = values.slice();
  if (found.length > 1) for (const row of found) for (let d = 0; d < dims; d++) output[row * dims + d]! -= mean[d]!;
  return { ...model, output: { dims, values: output } };
}
