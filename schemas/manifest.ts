import { createHash } from "node:crypto";
import { KindredError } from "./errors.js";
import type { EpochMs, Generation, Offset, Partition } from "./ids.js";
import type { Metric } from "./ports/read-model.js";
import type { Position } from "./position.js";

/** Version of the manifest and of the files it names. */
export const MANIFEST_VERSION = 1;

/** A file beside the manifest. */
export interface ManifestFile {
  readonly name: string;
  readonly bytes: number;
  /** CRC-32C (Castagnoli) of the whole file. */
  readonly crc32c: number;
}

export interface ManifestShard {
  readonly rows: number;
  /** Of the graph; 0 where the shard had none. */
  readonly nodes: number;
  /** The ids of the rows, in their order. */
  readonly ids: ManifestFile;
  /** Common beginning of the names of `files`. */
  readonly prefix: string;
  readonly files: readonly ManifestFile[];
}

/** What a saved set of shards is. Written last: files it does not name do not count. */
export interface ShardManifest {
  readonly version: typeof MANIFEST_VERSION;
  readonly dims: number;
  readonly metric: Metric;
  readonly storage: "float32" | "float16";
  readonly generation: Generation;
  readonly savedAt: EpochMs;
  /** Everything up to here is in the files; catch up from here. */
  readonly positions: Position;
  readonly shards: readonly ManifestShard[];
}

interface ManifestJson extends Omit<ShardManifest, "positions"> {
  readonly positions: readonly (readonly [Partition, Offset])[];
}

/** The manifest as JSON text that carries a SHA-256 of itself. */
export function formatManifest(manifest: ShardManifest): string {
  const body = JSON.stringify({ ...manifest, positions: [...manifest.positions] } satisfies ManifestJson);
  return `${JSON.stringify({ body: JSON.parse(body) as unknown, sha256: sha256(body) }, null, 1)}\n`;
}

/** @throws KindredError SHARD_CORRUPT for what is cut short, changed, or of another version; `where` names the file */
export function parseManifest(text: string, where: string): ShardManifest {
  const corrupt = (what: string): KindredError => new KindredError("SHARD_CORRUPT", `the manifest ${what}`, where);
  // All of it but the line's end would be JSON with the right checksum.
  if (!text.endsWith("\n")) throw corrupt("is cut short");
  let read: { body?: Partial<ManifestJson>; sha256?: unknown } | null;
  try {
    read = JSON.parse(text) as typeof read;
  } catch {
    throw corrupt("is not JSON");
  }
  const body = read?.body;
  if (typeof body !== "object" || body === null) throw corrupt("has no body");
  if (body.version !== MANIFEST_VERSION) throw corrupt(`has version ${String(body.version)}, this program reads ${MANIFEST_VERSION}`);
  if (read?.sha256 !== sha256(JSON.stringify(body))) throw corrupt("does not match its checksum");
  if (!isManifest(body)) throw corrupt("lacks a field, or has one out of range");
  return { ...body, positions: new Map(body.positions) };
}

function isManifest(body: Partial<ManifestJson>): body is ManifestJson {
  return (
    isCount(body.dims) &&
    body.dims >= 1 &&
    (body.metric === "cosine" || body.metric === "inner-product") &&
    (body.storage === "float32" || body.storage === "float16") &&
    isCount(body.generation) &&
    isCount(body.savedAt) &&
    Array.isArray(body.positions) &&
    body.positions.every((pair: unknown) => Array.isArray(pair) && pair.length === 2 && pair.every(isCount)) &&
    Array.isArray(body.shards) &&
    body.shards.length >= 1 &&
    body.shards.length <= 255 &&
    body.shards.every(isShard)
  );
}

function isShard(shard: Partial<ManifestShard> | null): boolean {
  return (
    typeof shard === "object" &&
    shard !== null &&
    isCount(shard.rows) &&
    isCount(shard.nodes) &&
    isName(shard.prefix) &&
    isFile(shard.ids) &&
    Array.isArray(shard.files) &&
    shard.files.every((file: ManifestFile) => isFile(file) && file.name.startsWith(`${shard.prefix}.`))
  );
}

const isFile = (file: Partial<ManifestFile> | undefined): boolean =>
  typeof file === "object" && file !== null && isName(file.name) && isCount(file.bytes) && isCount(file.crc32c) && file.crc32c < 2 ** 32;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
/** A plain name, no path. */
const isName = (name: unknown): name is string =>
  typeof name === "string" && /^[a-z0-9][a-z0-9.-]{0,127}$/.test(name) && !name.includes("..");
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
