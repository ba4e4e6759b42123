import type { Histories } from "../schemas/model.js";
import { hasCheckpoint, loadCheckpoint, removeCheckpoint, saveCheckpoint, type TrainingIdentity } from "./checkpoint.js";
import { checkReplaceable } from "./folder-files.js";
import { type Trained, type TrainingOptions, trainItem2vec } from "./item2vec.js";
import { type Item2vecSettings, item2vecSettings } from "./item2vec-settings.js";
import { MODEL_PARTS, saveModel, trainingDataOf } from "./model-folder.js";

export interface TrainingReport extends Pick<Trained, "done" | "kernel"> {
  /** Whether it went on from a checkpoint. */
  readonly resumed: boolean;
  readonly items: number;
  readonly users: number;
  readonly pairs: number;
  readonly cpuSeconds: number;
  /** Mean over the whole training. */
  readonly loss: number;
}

export interface IntoOptions extends Omit<TrainingOptions, "from"> {
  /** Begins anew where a checkpoint is. */
  readonly restart?: boolean;
}

/**
 * Trains item2vec into a folder. Stopped, it leaves a checkpoint there (and the model that may be there already as it is); called again with the
 * same data and settings it goes on from it. The number of threads may be another; with one thread all the time the
 * model is that of a training that was never stopped, bit for bit.
 * @throws KindredError INVALID_ARGUMENT, MODEL_INVALID (a checkpoint of other data or settings, or damaged), STORAGE_FAILED
 */
export async function trainItem2vecInto(
  directory: string,
  histories: Histories,
  given: Partial<Item2vecSettings>,
  { restart = false, ...options }: IntoOptions = {},
): Promise<TrainingReport> {
  const settings = item2vecSettings(given);
  // Before hours of work, not after.
  await checkReplaceable(directory, MODEL_PARTS);
  const data = trainingDataOf(histories);
  const identity: TrainingIdentity = { kind: "item2vec", data: data.fingerprint, settings: withoutThreads(settings) };
  const resumed = !restart && hasCheckpoint(directory);
  const from = resumed ? await loadCheckpoint(directory, identity) : undefined;
  const { done, model, state, kernel } = await trainItem2vec(histories, settings, { ...options, ...(from && { from }) });
  const { pairs, loss, lossPairs, cpuSeconds } = state.progress;
  const meanLoss = loss / Math.max(1, lossPairs);
  if (done) {
    const metrics = { pairs, loss: meanLoss };
    await saveModel(directory, model, { seed: settings.seed, data, settings: { ...settings }, metrics });
    await removeCheckpoint(directory);
  } else await saveCheckpoint(directory, identity, settings.dims, state);
  const counts = { items: histories.items.length, users: histories.users.length, pairs, cpuSeconds, loss: meanLoss };
  return { done, resumed, kernel, ...counts };
}

function withoutThreads({ threads: _, ...settings }: Item2vecSettings): Omit<Item2vecSettings, "threads"> {
  return settings;
}
