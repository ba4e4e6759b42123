import { join } from "node:path";
import { KindredError } from "../../schemas/errors.js";
import type { ItemId } from "../../schemas/ids.js";
import type { ManifestFile } from "../../schemas/manifest.js";
import type { ItemMatrix, ItemModel, LossPoint, NodeVectors } from "../../schemas/model.js";
import { Provisional } from "../provisional/provisional.js";
import type { ProvisionalParts } from "../provisional/provisional-parts.js";
import { filesOf, type IsOurs, readChecked, readPart, replaceFolder } from "./folder-files.js";
import {
  CHECKPOINT,
  formatModelManifest,
  LOSSES_FILE,
  MODEL_FILES,
  MODEL_VERSION,
  type ModelManifest,
  NEW_ITEMS_FILES,
  NODES_FOLDER,
  type NodeFiles,
  parseModelManifest,
} from "./model-manifest.js";
import { firstNotFinite } from "./not-finite.js";
import { formatNpy, parseNpy } from "./npy.js";

const MANIFEST = "manifest.json";
const PARTS: readonly string[] = [MANIFEST, ...MODEL_FILES, LOSSES_FILE, ...NEW_ITEMS_FILES, NODES_FOLDER, CHECKPOINT];
/** What may be in a folder that a model replaces. */
export const isModelPart: IsOurs = (name) => PARTS.includes(name);

/** What a folder says beside what the model itself does. */
export interface ModelDescription extends Pick<ModelManifest, "seed" | "data" | "settings" | "metrics"> {
  readonly losses?: readonly LossPoint[];
  /** What vectors of new items are made of. */
  readonly newItems?: Provisional;
}

export interface LoadOptions {
  /** Also the other nodes of a heterogeneous model. */
  readonly nodes?: boolean;
}

export interface LoadedModel {
  readonly model: ItemModel;
  readonly manifest: ModelManifest;
  /** The curve of the training; empty where the folder has none. */
  readonly losses: readonly LossPoint[];
}

/**
 * Writes a model as a folder: manifest.json, items.jsonl (an id a line, as a JSON string), input.npy and output.npy, losses.json where a curve
 * is given, new-items.json and new-items.npy where there is something to make vectors of new items of, and two files in nodes/ for each type of other nodes. It is written beside its place under another name, synced and renamed, so that a folder with the name is whole; the same model gives the same bytes.
 * A model that is there already is replaced: for a moment none is there, never half of one.
 * @throws KindredError INVALID_ARGUMENT (NaN, infinity, a table of another size, an item twice), STORAGE_FAILED
 */
export async function saveModel(directory: string, model: ItemModel, description: ModelDescription): Promise<ModelManifest> {
  const wrong = wrongModel(model);
  if (wrong !== undefined) throw new KindredError("INVALID_ARGUMENT", wrong, directory);
  const { losses, newItems } = description;
  const nodes = (model.nodes ?? []).map((one, at) => ({ ...one, files: nodeFiles(one, at) }));
  const contents: Readonly<Record<string, Buffer>> = {
    ...({
      "items.jsonl": formatIds(model.items),
      "input.npy": formatNpy(model.input),
      "output.npy": formatNpy(model.output),
    } satisfies Record<(typeof MODEL_FILES)[number], Buffer>),
    ...(losses && { [LOSSES_FILE]: Buffer.from(`${JSON.stringify(losses)}\n`) }),
    ...(newItems && newItemsFiles(newItems)),
    ...Object.fromEntries(
      nodes.flatMap(({ files, ids, vectors }) => [
        [files.ids, formatIds(ids)],
        [files.vectors, formatNpy(vectors)],
      ]),
    ),
  };
  const manifest: ModelManifest = {
    ...{ version: MODEL_VERSION, kind: model.kind, dims: model.input.dims, items: model.items.length, score: model.score },
    ...{ seed: description.seed, data: description.data, settings: description.settings, metrics: description.metrics },
    ...(nodes.length > 0 && { nodes: nodes.map(({ files }) => files) }),
    files: filesOf(contents),
  };
  await replaceFolder(directory, { ...contents, [MANIFEST]: Buffer.from(formatModelManifest(manifest)) }, isModelPart);
  return manifest;
}

/**
 * The model of a folder, with everything that is read checked: version, sizes, checksums, numbers, ids.
 * @throws KindredError MODEL_INVALID naming the file
 */
export async function loadModel(directory: string, { nodes = false }: LoadOptions = {}): Promise<LoadedModel> {
  const manifest = await readManifest(directory);
  const where = (name: string): string => join(directory, name);
  const bytes = (name: string): Promise<Buffer> =>
    readChecked(directory, manifest.files.find((file) => file.name === name) as ManifestFile);
  const ids = async (name: string): Promise<string[]> => parseIds(await bytes(name), where(name));
  const matrix = async (name: string): Promise<ItemMatrix> => parseNpy(await bytes(name), where(name));
  const others: NodeVectors[] = [];
  for (const one of nodes ? (manifest.nodes ?? []) : [])
    others.push({ type: one.type, ids: await ids(one.ids), vectors: await matrix(one.vectors) });
  const { kind, score } = manifest;
  const model: ItemModel = {
    kind,
    items: (await ids("items.jsonl")) as ItemId[],
    input: await matrix("input.npy"),
    output: await matrix("output.npy"),
    score,
    ...(others.length > 0 && { nodes: others }),
  };
  const wrong =
    model.items.length !== manifest.items || model.input.dims !== manifest.dims
      ? "the files are not as large as the manifest says"
      : wrongModel(model);
  if (wrong !== undefined) throw new KindredError("MODEL_INVALID", wrong, directory);
  const curve = manifest.files.some(({ name }) => name === LOSSES_FILE);
  return { model, manifest, losses: curve ? parseLosses(await bytes(LOSSES_FILE), where(LOSSES_FILE)) : [] };
}

function newItemsFiles(newItems: Provisional): Record<string, Buffer> {
  const { about, vectors } = newItems.parts();
  return { "new-items.json": Buffer.from(`${JSON.stringify(about)}\n`), "new-items.npy": formatNpy(vectors) } satisfies Record<
    (typeof NEW_ITEMS_FILES)[number],
    Buffer
  >;
}

/** What vectors of new items are made of; undefined where the folder has nothing of it. @throws KindredError MODEL_INVALID naming the file */
export async function loadNewItems(directory: string): Promise<Provisional | undefined> {
  const manifest = await readManifest(directory);
  const [about, vectors] = NEW_ITEMS_FILES.map((name) => manifest.files.find((file) => file.name === name));
  if (about === undefined || vectors === undefined) return undefined;
  const text = (await readChecked(directory, about)).toString("utf8");
  const matrix = parseNpy(await readChecked(directory, vectors), join(directory, vectors.name));
  try {
    return Provisional.of(manifest.dims, { about: JSON.parse(text) as ProvisionalParts["about"], vectors: matrix });
  } catch (cause) {
    throw new KindredError("MODEL_INVALID", (cause as Error).message, join(directory, about.name), { cause });
  }
}

const readManifest = async (directory: string): Promise<ModelManifest> =>
  parseModelManifest((await readPart(directory, MANIFEST)).toString("utf8"), join(directory, MANIFEST));

/** Named after the type where that makes a file's name, and numbered, since two types may differ in what can't be in one. */
function nodeFiles({ type, ids }: NodeVectors, at: number): NodeFiles {
  const name = `${NODES_FOLDER}/${type.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 64)}`;
  const part = /^[A-Za-z0-9_-]{1,64}$/.test(type) ? name : `${name}.${at}`;
  return { type, nodes: ids.length, ids: `${part}.jsonl`, vectors: `${part}.npy` };
}

const formatIds = (ids: readonly string[]): Buffer => Buffer.from(ids.map((id) => `${JSON.stringify(id)}\n`).join(""));

/** Why a model can't be one; undefined: it can. */
function wrongModel({ items, input, output, nodes = [] }: ItemModel): string | undefined {
  if (new Set(items).size !== items.length) return "an item is there twice";
  if (items.some((item) => item.length === 0 || item.length > 128 || !item.isWellFormed()))
    return "an item's id is not 1 to 128 characters";
  if (input.dims !== output.dims) return `input has ${input.dims} dimensions, output ${output.dims}`;
  if (new Set(nodes.map(({ type }) => type)).size !== nodes.length) return "a type of nodes is there twice";
  if (nodes.some(({ vectors }) => vectors.dims !== input.dims)) return "nodes have other dimensions than items";
  return (
    wrongTable("input", items, input) ??
    wrongTable("output", items, output) ??
    nodes.map(({ type, ids, vectors }) => wrongTable(`the table of ${type}`, ids, vectors)).find((wrong) => wrong !== undefined)
  );
}

function wrongTable(name: string, ids: readonly string[], { dims, values }: ItemMatrix): string | undefined {
  if (values.length !== ids.length * dims) return `${name} has ${values.length} numbers for ${ids.length} ids of ${dims} dimensions`;
  const bad = firstNotFinite(values);
  return bad >= 0 ? `${name} holds ${values[bad]} for ${JSON.stringify(ids[Math.floor(bad / dims)])}` : undefined;
}

function parseIds(bytes: Buffer, where: string): string[] {
  const lines = bytes.toString("utf8").split("\n");
  if (lines.pop() !== "") throw new KindredError("MODEL_INVALID", "the last line has no end", where);
  return lines.map((line, at) => {
    try {
      const id: unknown = JSON.parse(line);
      if (typeof id === "string") return id;
    } catch {
      // Told below.
    }
    throw new KindredError("MODEL_INVALID", "this is no JSON string", `${where} line ${at + 1}`);
  });
}

function parseLosses(bytes: Buffer, where: string): LossPoint[] {
  try {
    const read = JSON.parse(bytes.toString("utf8")) as Partial<LossPoint>[];
    if (read.every(({ share, loss }) => Number.isFinite(share) && Number.isFinite(loss))) return read as LossPoint[];
  } catch {
    // Told below.
  }
  throw new KindredError("MODEL_INVALID", "this is no curve of losses", where);
}
