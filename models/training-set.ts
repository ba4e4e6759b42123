import { createHash } from "node:crypto";
import { typeOfId } from "../schemas/event.js";
import type { TrainingSet } from "../schemas/model.js";
import type { TrainingData } from "./model-manifest.js";

/** The type of each item: that of its side information, else what its id says (`song:42` is a `song`), else "". */
export const typesOf = ({ histories, infos }: Pick<TrainingSet, "histories" | "infos">): string[] =>
  histories.items.map((item) => infos?.get(item)?.type ?? typeOfId(item) ?? "");

/**
 * What a model is trained on, known again by a hash of users, items, who has what, and whatever else is known. Of side information only
 * what a model can learn from: a title may change.
 */
export function trainingDataOf(set: TrainingSet): TrainingData {
  const { items, users, starts, rows } = set.histories;
  const hash = createHash("sha256").update(JSON.stringify([items.length, users.length, rows.length]));
  for (const ids of [items, users]) for (const id of ids) hash.update(JSON.stringify(id));
  const table = (name: string, values: Uint32Array | Float32Array | Float64Array | undefined): void => {
    if (values !== undefined) hash.update(name).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  };
  table("", starts);
  table("", rows);
  table("weights", set.weights);
  table("times", set.times);
  table(`actions ${JSON.stringify(set.actionNames)}`, set.actions);
  table(`scenes ${JSON.stringify(set.sceneNames)}`, set.scenes);
  if (set.infos !== undefined)
    for (const item of items) {
      const info = set.infos.get(item);
      if (info !== undefined) hash.update(JSON.stringify([item, info.type, info.creators, info.tags, info.scene]));
    }
  return { users: users.length, interactions: rows.length, fingerprint: hash.digest("hex") };
}
