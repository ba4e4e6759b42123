import type { TrainingProgress } from "../../models/training/model-kind.js";
import type { AnyKind } from "../../models/training/model-kinds.js";
import { type IntoOptions, type TrainingReport, trainInto } from "../../models/training/train-into.js";
import type { TrainingSet } from "../../schemas/model.js";
import { Progress } from "../progress.js";

/** Trains with a progress of its own: reading the data took none of its time. */
export async function trainShown(
  into: string,
  kind: AnyKind,
  set: TrainingSet,
  settings: Partial<AnyKind["defaults"]>,
  options: Omit<IntoOptions, "onProgress">,
): Promise<TrainingReport> {
  const progress = new Progress({ label: "train", unit: "pairs", stream: process.stderr });
  let note: string | undefined;
  // What an earlier call did took none of this one's time.
  let first: { readonly pairs: number; readonly share: number } | undefined;
  const onProgress = ({ pairs, share, loss, epoch }: TrainingProgress): void => {
    if (loss !== undefined) note = `epoch ${epoch + 1}, loss ${loss.toFixed(3)}`;
    first ??= { pairs, share };
    progress.update(pairs - first.pairs, (share - first.share) / Math.max(1e-9, 1 - first.share), note);
  };
  return trainInto(into, kind, set, settings, { ...options, onProgress }).finally(() => progress.stop());
}
