import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { crc32c, NO_ORDINAL } from "../../native/vector-index.js";
import { KindredError } from "../../schemas/errors.js";
import {
  formatManifest,
  MANIFEST_VERSION,
  type ManifestFile,
  type ManifestShard,
  parseManifest,
  type ShardManifest,
} from "../../schemas/manifest.js";
import type { Position } from "../../schemas/position.js";
import { translatedAsync } from "../native-errors.js";
import { EmbeddedEngine, type EmbeddedEngineSettings } from "../vector-engine/embedded-engine.js";
import { decodeIds, encodeIds } from "./id-file.js";

const MANIFEST = "manifest.json";
/** Ids asked for in one call, so that the thread is not held for long. */
const IDS_PER_CALL = 32_768;
/** What this file writes; nothing else in the directory is touched. */
const OURS = /^(?:shard-\d+\.[0-9a-f]+\.(?:rows|graph|nodes|ids)|aside-[0-9a-f]+|manifest\.[0-9a-f]+\.tmp)$/;

export interface SaveSettings {
  /** Read before this is called: everything up to it is in the vectors already. Later changes may be in the files too. */
  readonly positions: Position;
  /** Ids of ordinals; null, undefined or "" for one that was erased meanwhile: its row is not read back. */
  idsOf(ordinals: Uint32Array): readonly (string | null | undefined)[];
}

export interface OpenSettings extends Pick<EmbeddedEngineSettings, "driftCosine" | "ef" | "scanRowsPerEf" | "longestShare"> {
  /** Ordinals of ids in this process, in order; NO_ORDINAL for one that is not known: its row is left out. */
  ordinalsOf(ids: readonly string[]): Uint32Array;
}

const saving = new Set<string>();

/**
 * Saves tables and graphs of an engine into `directory`. Each file is written aside, synced and renamed; the manifest
 * comes last, and only then are the files of the last save removed: at any moment there is one complete set.
 * Upserts and searches go on meanwhile; memory for a copy of one shard is needed.
 * @throws KindredError STORAGE_FAILED, DIRECTORY_IN_USE where a save into it is under way; the last save stays good
 */
export async function saveShards(engine: EmbeddedEngine, directory: string, settings: SaveSettings): Promise<ShardManifest> {
  const place = resolve(directory);
  if (saving.has(place)) throw new KindredError("DIRECTORY_IN_USE", "a save into it is under way", directory);
  saving.add(place);
  const id = `${Date.now().toString(16)}${randomBytes(4).toString("hex")}`;
  const aside = join(place, `aside-${id}`);
  try {
    await mkdir(aside, { recursive: true });
    const shards: ManifestShard[] = [];
    for (let shard = 0; shard < engine.shards; shard++) shards.push(await saveShard(engine, shard, place, aside, id, settings));
    const { dims, metric, generation, storage } = engine;
    const manifest: ShardManifest = {
      version: MANIFEST_VERSION,
      dims,
      metric,
      storage,
      generation,
      savedAt: Date.now(),
      positions: settings.positions,
      shards,
    };
    await writeManifest(place, id, manifest);
    await removeOthers(place, manifest);
    return manifest;
  } catch (error) {
    await rm(aside, { recursive: true, force: true }).catch(() => undefined);
    throw storageError(error, directory);
  } finally {
    saving.delete(place);
  }
}

/** Whether a complete save is there. */
export function hasShards(directory: string): boolean {
  return existsSync(join(directory, MANIFEST));
}

/**
 * The engine that was saved, without building anything, and the positions to catch up from.
 * @throws KindredError SHARD_CORRUPT naming the file that is missing, cut short, changed or of another version
 */
export async function openShards(directory: string, settings: OpenSettings): Promise<{ engine: EmbeddedEngine; manifest: ShardManifest }> {
  const text = await readFile(join(directory, MANIFEST), "utf8").catch((error: Error) => {
    throw new KindredError("SHARD_CORRUPT", `there is no manifest: ${error.message}`, MANIFEST);
  });
  const manifest = parseManifest(text, MANIFEST);
  const { dims, metric, generation, storage, shards } = manifest;
  const { driftCosine, ef, scanRowsPerEf, longestShare } = settings;
  const tuning = {
    ...(driftCosine !== undefined && { driftCosine }),
    ...(ef !== undefined && { ef }),
    ...(scanRowsPerEf !== undefined && { scanRowsPerEf }),
    ...(longestShare !== undefined && { longestShare }),
  };
  const engine = EmbeddedEngine.create({ dims, metric, generation, storage, shards: shards.length, ...tuning });
  try {
    for (const [number, shard] of shards.entries()) {
      const ordinals = await readOrdinals(directory, shard, settings);
      const files = shard.files.map(({ name, bytes, crc32c }) => ({ suffix: name.slice(shard.prefix.length), bytes, crc32c }));
      await translatedAsync(() => engine.native.load(number, join(directory, shard.prefix), files, ordinals));
    }
  } catch (error) {
    await engine.close();
    throw error;
  }
  return { engine, manifest };
}

async function saveShard(
  engine: EmbeddedEngine,
  shard: number,
  place: string,
  aside: string,
  id: string,
  settings: SaveSettings,
): Promise<ManifestShard> {
  const frozen = await translatedAsync(() => engine.native.freeze(shard));
  const { ordinals, nodes } = frozen;
  const names: (string | null | undefined)[] = [];
  for (let at = 0; at < ordinals.length; at += IDS_PER_CALL) {
    const part = ordinals.slice(at, at + IDS_PER_CALL);
    const ids = settings.idsOf(part);
    if (ids.length !== part.length) throw new KindredError("INVALID_ARGUMENT", `idsOf gave ${ids.length} ids for ${part.length} ordinals`);
    for (const one of ids) names.push(one);
    await nextTurn();
  }
  const prefix = `shard-${shard}.${id}`;
  const bytes = encodeIds(names);
  await writeSynced(join(aside, `${prefix}.ids`), bytes);
  const written = await translatedAsync(() => frozen.write(join(aside, prefix)));
  const files = written.map(({ suffix, ...file }): ManifestFile => ({ name: `${prefix}${suffix}`, ...file }));
  const ids: ManifestFile = { name: `${prefix}.ids`, bytes: bytes.length, crc32c: crc32c(bytes) };
  for (const { name } of [...files, ids]) await rename(join(aside, name), join(place, name));
  return { rows: ordinals.length, nodes, ids, prefix, files };
}

async function writeManifest(place: string, id: string, manifest: ShardManifest): Promise<void> {
  await syncDirectory(place);
  const aside = join(place, `manifest.${id}.tmp`);
  await writeSynced(aside, formatManifest(manifest));
  await rename(aside, join(place, MANIFEST));
  await syncDirectory(place);
}

async function removeOthers(place: string, manifest: ShardManifest): Promise<void> {
  const kept = new Set(manifest.shards.flatMap((shard) => [shard.ids.name, ...shard.files.map((file) => file.name)]));
  for (const name of await readdir(place))
    if (OURS.test(name) && !kept.has(name)) await rm(join(place, name), { recursive: true, force: true });
}

async function readOrdinals(directory: string, shard: ManifestShard, settings: OpenSettings): Promise<Uint32Array> {
  const { name, bytes: size, crc32c: expected } = shard.ids;
  const bytes = await readFile(join(directory, name)).catch((error: Error) => {
    throw new KindredError("SHARD_CORRUPT", error.message, name);
  });
  if (bytes.length !== size || crc32c(bytes) !== expected)
    throw new KindredError("SHARD_CORRUPT", "size or checksum differ from the manifest's", name);
  const ids = decodeIds(bytes, name);
  if (ids.length !== shard.rows) throw new KindredError("SHARD_CORRUPT", `${ids.length} ids for ${shard.rows} rows`, name);
  const ordinals = new Uint32Array(ids.length).fill(NO_ORDINAL);
  for (let at = 0; at < ids.length; at += IDS_PER_CALL) {
    const part = ids.slice(at, at + IDS_PER_CALL);
    const found = settings.ordinalsOf(part.filter((id) => id !== null));
    let next = 0;
    for (const [i, id] of part.entries()) {
      if (id === null) continue;
      const ordinal = found[next++];
      if (ordinal === undefined) throw new KindredError("INVALID_ARGUMENT", "ordinalsOf gave fewer ordinals than ids");
      ordinals[at + i] = ordinal;
    }
    await nextTurn();
  }
  return ordinals;
}

async function writeSynced(path: string, data: Buffer | string): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** So that a rename survives a crash of the machine. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function storageError(error: unknown, directory: string): unknown {
  if (error instanceof KindredError || typeof (error as NodeJS.ErrnoException).code !== "string") return error;
  return new KindredError("STORAGE_FAILED", (error as Error).message, basename(directory), { cause: error });
}
