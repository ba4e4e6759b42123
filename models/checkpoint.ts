import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { SkipGramProgress, SkipGramTables } from "../native/skip-gram.js";
import { KindredError } from "../schemas/errors.js";
import type { ManifestFile } from "../schemas/manifest.js";
import { filesOf, readChecked, readPart, replaceFolder } from "./folder-files.js";
import type { TrainingState } from "./item2vec.js";
import { formatNpy, parseNpy } from "./npy.js";

/** Of the folder in a model's folder where a training that was stopped lies. */
export const CHECKPOINT = "checkpoint";
const CHECKPOINT_VERSION = 1;
const MANIFEST = "checkpoint.json";
const TABLES = {
  "input.npy": "input",
  "output.npy": "output",
  "input-squares.npy": "inputSquares",
  "output-squares.npy": "outputSquares",
} as const;
type TableFile = keyof typeof TABLES;

/** What a training must have in common with the one it goes on from. */
export interface TrainingIdentity {
  readonly kind: string;
  /** Fingerprint of the data. */
  readonly data: string;
  /** All that the result depends on. */
  readonly settings: Readonly<Record<string, number | string | boolean>>;
}

interface CheckpointManifest extends TrainingIdentity {
  readonly version: number;
  readonly dims: number;
  readonly progress: SkipGramProgress;
  readonly files: readonly ManifestFile[];
}

/** @throws KindredError STORAGE_FAILED, INVALID_ARGUMENT */
export async function saveCheckpoint(
  model: string,
  identity: TrainingIdentity,
  dims: number,
  { progress, tables }: TrainingState,
): Promise<void> {
  const contents: Record<string, Buffer> = {};
  for (const [name, table] of Object.entries(TABLES))
    contents[name] = formatNpy({ dims: name.includes("squares") ? 1 : dims, values: tables[table] });
  const manifest: CheckpointManifest = { version: CHECKPOINT_VERSION, ...identity, dims, progress, files: filesOf(contents) };
  contents[MANIFEST] = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
  await replaceFolder(join(model, CHECKPOINT), contents, [MANIFEST, ...Object.keys(TABLES)]);
}

export const hasCheckpoint = (model: string): boolean => existsSync(join(model, CHECKPOINT));
export const removeCheckpoint = (model: string): Promise<void> => rm(join(model, CHECKPOINT), { recursive: true, force: true });

/** @throws KindredError MODEL_INVALID: damaged, or of other data or settings, naming what differs */
export async function loadCheckpoint(model: string, identity: TrainingIdentity): Promise<TrainingState> {
  const directory = join(model, CHECKPOINT);
  const invalid = (what: string): KindredError => new KindredError("MODEL_INVALID", what, directory);
  const manifest = parse((await readPart(directory, MANIFEST)).toString("utf8"));
  if (manifest === undefined) throw invalid("checkpoint.json is no checkpoint of this version");
  const differs = difference(manifest, identity);
  if (differs !== undefined) throw invalid(`the training that was stopped had another ${differs}: it can't go on`);
  const tables: Partial<Record<(typeof TABLES)[TableFile], Float32Array>> = {};
  for (const [name, table] of Object.entries(TABLES)) {
    const file = manifest.files.find((one) => one.name === name);
    if (file === undefined) throw invalid(`the checkpoint lacks ${name}`);
    tables[table] = parseNpy(await readChecked(directory, file), join(directory, name)).values;
  }
  return { progress: manifest.progress, tables: tables as SkipGramTables };
}

function parse(text: string): CheckpointManifest | undefined {
  try {
    const read = JSON.parse(text) as Partial<CheckpointManifest> | null;
    const whole = read?.version === CHECKPOINT_VERSION && typeof read.settings === "object" && typeof read.progress === "object";
    return whole && Array.isArray(read.files) ? (read as CheckpointManifest) : undefined;
  } catch {
    return undefined;
  }
}

function difference(had: TrainingIdentity, wanted: TrainingIdentity): string | undefined {
  if (had.kind !== wanted.kind) return "kind";
  if (had.data !== wanted.data) return "training data";
  const keys = Object.keys({ ...had.settings, ...wanted.settings });
  return keys.find((key) => had.settings[key] !== wanted.settings[key]);
}
