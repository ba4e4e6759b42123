import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { KindredError } from "../../schemas/errors.js";
import type { ManifestFile } from "../../schemas/manifest.js";
import type { ItemMatrix } from "../../schemas/model.js";
import { filesOf, type IsOurs, readChecked, readPart, recoverFolder, replaceFolder } from "../model-folder/folder-files.js";
import { CHECKPOINT } from "../model-folder/model-manifest.js";
import { formatNpy, parseNpy } from "../model-folder/npy.js";
import type { SettingValue, TrainingState } from "./model-kind.js";

const CHECKPOINT_VERSION = 2;
const MANIFEST = "checkpoint.json";
const TABLE_END = ".npy";
const isOurs: IsOurs = (name) => name === MANIFEST || name.endsWith(TABLE_END);

/** What a training must have in common with the one it goes on from. */
export interface TrainingIdentity {
  readonly kind: string;
  /** Fingerprint of the data. */
  readonly data: string;
  /** All that the result depends on. */
  readonly settings: Readonly<Record<string, SettingValue>>;
}

interface CheckpointManifest extends TrainingIdentity {
  readonly version: number;
  readonly progress: TrainingState["progress"];
  readonly files: readonly ManifestFile[];
}

/** @throws KindredError STORAGE_FAILED, INVALID_ARGUMENT */
export async function saveCheckpoint(model: string, identity: TrainingIdentity, { progress, tables }: TrainingState): Promise<void> {
  const contents: Record<string, Buffer> = {};
  for (const [name, table] of Object.entries(tables)) contents[`${name}${TABLE_END}`] = formatNpy(table);
  const manifest: CheckpointManifest = { version: CHECKPOINT_VERSION, ...identity, progress, files: filesOf(contents) };
  contents[MANIFEST] = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
  await replaceFolder(join(model, CHECKPOINT), contents, isOurs);
}

export const hasCheckpoint = (model: string): boolean => existsSync(join(model, CHECKPOINT));
export const recoverCheckpoint = (model: string): Promise<void> => recoverFolder(join(model, CHECKPOINT));
export const removeCheckpoint = (model: string): Promise<void> => rm(join(model, CHECKPOINT), { recursive: true, force: true });

/** @throws KindredError MODEL_INVALID: damaged, or of other data or settings, naming what differs */
export async function loadCheckpoint(model: string, identity: TrainingIdentity): Promise<TrainingState> {
  const directory = join(model, CHECKPOINT);
  const invalid = (what: string): KindredError => new KindredError("MODEL_INVALID", what, directory);
  const manifest = parse((await readPart(directory, MANIFEST)).toString("utf8"));
  if (manifest === undefined) throw invalid("checkpoint.json is no checkpoint of this version");
  const differs = difference(manifest, identity);
  if (differs !== undefined) throw invalid(`the training that was stopped had another ${differs}: it can't go on; --restart begins anew`);
  const tables: Record<string, ItemMatrix> = {};
  for (const file of manifest.files)
    tables[file.name.slice(0, -TABLE_END.length)] = parseNpy(await readChecked(directory, file), join(directory, file.name));
  return { progress: manifest.progress, tables };
}

function parse(text: string): CheckpointManifest | undefined {
  try {
    const read = JSON.parse(text) as Partial<CheckpointManifest> | null;
    const whole = read?.version === CHECKPOINT_VERSION && typeof read.settings === "object" && typeof read.progress === "object";
    // Names of ours only: a file of another place is not to be read.
    const names = Array.isArray(read?.files) && read.files.every(({ name }) => /^[A-Za-z0-9]+\.npy$/.test(name));
    return whole && names ? (read as CheckpointManifest) : undefined;
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
