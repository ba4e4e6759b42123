import { KindredError } from "../../schemas/errors.js";
import type { EpochMs } from "../../schemas/ids.js";
import type { ManifestFile } from "../../schemas/manifest.js";

/** Version of the folder's format. */
export const MODEL_VERSION = 1;

/** In a model's folder: what a stopped training goes on from. */
export const CHECKPOINT = "checkpoint";

/** What a model was trained on, so that it is known again. */
export interface TrainingData {
  readonly users: number;
  readonly interactions: number;
  /** SHA-256 of the histories, in hexadecimal. */
  readonly fingerprint: string;
  /** Event time of the newest interaction, where that is known: a later model is judged by what came after it. */
  readonly newest?: EpochMs;
}

/** What a model folder says of itself: manifest.json. Nothing in it depends on when or where it was made. */
export interface ModelManifest {
  readonly version: typeof MODEL_VERSION;
  readonly kind: string;
  readonly dims: number;
  readonly items: number;
  readonly score: "dot" | "cosine";
  readonly seed: number;
  readonly data: TrainingData;
  /** Of the training, as its kind has them. */
  readonly settings: Readonly<Record<string, number | string | boolean>>;
  readonly metrics: Readonly<Record<string, number>>;
  /** Node types beside the items, with the files of each. */
  readonly nodes?: readonly NodeFiles[];
  /** MODEL_FILES, the curve of losses, what new items get, and those of `nodes`. */
  readonly files: readonly ManifestFile[];
}

/** Where one type of nodes lies: ids like items.jsonl, vectors like input.npy. */
export interface NodeFiles {
  readonly type: string;
  readonly nodes: number;
  readonly ids: string;
  readonly vectors: string;
}

export const MODEL_FILES = ["items.jsonl", "input.npy", "output.npy"] as const;
export const LOSSES_FILE = "losses.json";
export const NODES_FOLDER = "nodes";
/** What vectors of new items are made of: models/provisional/provisional-parts.ts. */
export const NEW_ITEMS_FILES = ["new-items.json", "new-items.npy"] as const;

export const formatModelManifest = (manifest: ModelManifest): string => `${JSON.stringify(manifest, null, 2)}\n`;

/** @throws KindredError MODEL_INVALID */
export function parseModelManifest(text: string, where: string): ModelManifest {
  const invalid = (what: string): KindredError => new KindredError("MODEL_INVALID", `the manifest ${what}`, where);
  let read: Partial<ModelManifest> | null;
  try {
    read = JSON.parse(text) as typeof read;
  } catch {
    throw invalid("is not JSON");
  }
  if (typeof read !== "object" || read === null) throw invalid("is no object");
  if (read.version !== MODEL_VERSION) throw invalid(`has version ${JSON.stringify(read.version)}, this program reads ${MODEL_VERSION}`);
  const wrong = wrongField(read);
  if (wrong !== undefined) throw invalid(`lacks ${wrong}, or has it out of range`);
  return read as ModelManifest;
}

function wrongField(read: Partial<ModelManifest>): string | undefined {
  const { kind, dims, items, score, seed, data, settings, metrics, nodes = [], files } = read;
  if (typeof kind !== "string" || kind === "") return "kind";
  if (!isCount(dims) || dims < 1 || dims > 1024) return "dims";
  if (!isCount(items)) return "items";
  if (score !== "dot" && score !== "cosine") return "score";
  if (!isCount(seed)) return "seed";
  if (data?.newest !== undefined && !isCount(data.newest)) return "data";
  if (!isCount(data?.users) || !isCount(data.interactions) || !/^[0-9a-f]{64}$/.test(String(data.fingerprint))) return "data";
  if (typeof settings !== "object" || settings === null) return "settings";
  if (typeof metrics !== "object" || metrics === null || !Object.values(metrics).every(Number.isFinite)) return "metrics";
  if (!Array.isArray(files) || !MODEL_FILES.every((name) => files.filter((file) => isFile(file) && file.name === name).length === 1))
    return "files";
  if (!files.every(({ name }) => FILE_NAME.test(name))) return "files";
  const named = (name: unknown): boolean => files.some((file) => file.name === name);
  if (
    !Array.isArray(nodes) ||
    !nodes.every((one) => typeof one?.type === "string" && isCount(one.nodes) && named(one.ids) && named(one.vectors))
  )
    return "nodes";
  return undefined;
}

/** Nothing outside of the folder is ever read. */
const FILE_NAME = /^([a-z]+\/)?[^/\\]+$/;

const isFile = (file: Partial<ManifestFile> | null): boolean => isCount(file?.bytes) && isCount(file.crc32c) && file.crc32c < 2 ** 32;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
