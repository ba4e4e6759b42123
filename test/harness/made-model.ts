import { join } from "node:path";
import { saveModel } from "../../models/model-folder/model-folder.js";
import type { ItemId } from "../../schemas/ids.js";
import type { ItemModel } from "../../schemas/model.js";
import { randomOf } from "../index/vector-engine/listeners.js";

const DATA = { users: 1, interactions: 1, fingerprint: "0".repeat(64) };

/** A model folder that nobody trained: what it says of an item is what the test wants to find again. */
export async function writeModel(
  directory: string,
  model: Omit<ItemModel, "kind" | "score"> & Partial<ItemModel>,
  seed = 1,
): Promise<string> {
  await saveModel(directory, { kind: "item2vec", score: "dot", ...model }, { seed, data: DATA, settings: {}, metrics: {} });
  return directory;
}

/** Vectors at random, of the seed. */
export function randomModel(root: string, items: readonly string[], seed: number, dims = 16): Promise<string> {
  const random = randomOf(seed);
  const table = () => ({ dims, values: Float32Array.from({ length: items.length * dims }, () => random() - 0.5) });
  return writeModel(join(root, `model-${seed}`), { items: items as readonly ItemId[], input: table(), output: table() }, seed);
}
