import { createHash } from "node:crypto";
import { join } from "node:path";
import { KindredError } from "../schemas/errors.js";
import type { ItemId } from "../schemas/ids.js";
import type { Histories, ItemMatrix, ItemModel } from "../schemas/model.js";
import { CHECKPOINT } from "./checkpoint.js";
import { filesOf, readChecked, readPart, replaceFolder } from "./folder-files.js";
import {
  formatModelManifest,
  MODEL_FILES,
  MODEL_VERSION,
  type ModelManifest,
  parseModelManifest,
  type TrainingData,
} from "./model-manifest.js";
import { firstNotFinite } from "./not-finite.js";
import { formatNpy, parseNpy } from "./npy.js";

const MANIFEST = "manifest.json";
/** What may be in a folder that a model replaces. */
export const MODEL_PARTS = [MANIFEST, ...MODEL_FILES, CHECKPOINT];

/** What a manifest says beside what the model itself does. */
export type ModelDescription = Pick<ModelManifest, "seed" | "data" | "settings" | "metrics">;

/**
 * Writes a model as a folder: manifest.json, items.jsonl (an id a line, as a JSON string), input.npy and output.npy. It is written beside
 * its place under another name, synced and renamed, so that a folder with the name is whole; the same model gives the same bytes.
 * A model that is there already is replaced: for a moment none is there, never half of one.
 * @throws KindredError INVALID_ARGUMENT (NaN, infinity, a table of another size, an item twice), STORAGE_FAILED
 */
export async function saveModel(directory: string, model: ItemModel, description: ModelDescription): Promise<ModelManifest> {
  const wrong = wrongModel(model);
  if (wrong !== undefined) throw new KindredError("INVALID_ARGUMENT", wrong, directory);
  const contents: Readonly<Record<(typeof MODEL_FILES)[number], Buffer>> = {
    "items.jsonl": Buffer.from(model.items.map((item) => `${JSON.stringify(item)}\n`).join("")),
    "input.npy": formatNpy(model.input),
    "output.npy": formatNpy(model.output),
  };
  const manifest: ModelManifest = {
    ...{ version: MODEL_VERSION, kind: model.kind, dims: model.input.dims, items: model.items.length, score: model.score },
    ...{ seed: description.seed, data: description.data, settings: description.settings, metrics: description.metrics },
    files: filesOf(contents),
  };
  await replaceFolder(directory, { ...contents, [MANIFEST]: Buffer.from(formatModelManifest(manifest)) }, MODEL_PARTS);
  return manifest;
}

/**
 * The model of a folder, with everything checked: version, sizes, checksums, numbers, ids.
 * @throws KindredError MODEL_INVALID naming the file
 */
export async function loadModel(directory: string): Promise<{ readonly model: ItemModel; readonly manifest: ModelManifest }> {
  const manifest = parseModelManifest((await readPart(directory, MANIFEST)).toString("utf8"), join(directory, MANIFEST));
  const contents = new Map<string, Buffer>();
  for (const file of manifest.files) contents.set(file.name, await readChecked(directory, file));
  const where = (name: string): string => join(directory, name);
  const matrix = (name: string): ItemMatrix => parseNpy(contents.get(name) as Buffer, where(name));
  const items = parseItems(contents.get("items.jsonl") as Buffer, where("items.jsonl"));
  const { kind, score } = manifest;
  const model: ItemModel = { kind, items, input: matrix("input.npy"), output: matrix("output.npy"), score };
  const wrong =
    model.items.length !== manifest.items || model.input.dims !== manifest.dims
      ? "the files are not as large as the manifest says"
      : wrongModel(model);
  if (wrong !== undefined) throw new KindredError("MODEL_INVALID", wrong, directory);
  return { model, manifest };
}

/** What a model is trained on, known again by a hash of users, items and who has what. */
export function trainingDataOf({ items, users, starts, rows }: Histories): TrainingData {
  const hash = createHash("sha256").update(JSON.stringify([items.length, users.length, rows.length]));
  for (const ids of [items, users]) for (const id of ids) hash.update(JSON.stringify(id));
  for (const table of [starts, rows]) hash.update(new Uint8Array(table.buffer, table.byteOffset, table.byteLength));
  return { users: users.length, interactions: rows.length, fingerprint: hash.digest("hex") };
}

/** Why a model can't be one; undefined: it can. */
function wrongModel({ items, input, output }: ItemModel): string | undefined {
  if (new Set(items).size !== items.length) return "an item is there twice";
  if (items.some((item) => item.length === 0 || item.length > 128 || !item.isWellFormed()))
    return "an item's id is not 1 to 128 characters";
  if (input.dims !== output.dims) return `input has ${input.dims} dimensions, output ${output.dims}`;
  for (const [name, { dims, values }] of Object.entries({ input, output })) {
    if (values.length !== items.length * dims)
      return `${name} has ${values.length} numbers for ${items.length} items of ${dims} dimensions`;
    const bad = firstNotFinite(values);
    if (bad >= 0) return `${name} holds ${values[bad]} for ${JSON.stringify(items[Math.floor(bad / dims)])}`;
  }
  return undefined;
}

function parseItems(bytes: Buffer, where: string): ItemId[] {
  const lines = bytes.toString("utf8").split("\n");
  if (lines.pop() !== "") throw new KindredError("MODEL_INVALID", "the last line has no end", where);
  return lines.map((line, at) => {
    try {
      const id: unknown = JSON.parse(line);
      if (typeof id === "string") return id as ItemId;
    } catch {
      // Told below.
    }
    throw new KindredError("MODEL_INVALID", "this is no JSON string", `${where} line ${at + 1}`);
  });
}
