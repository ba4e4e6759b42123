import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { crc32c } from "../../native/vector-index.js";
import { KindredError } from "../../schemas/errors.js";
import type { ManifestFile } from "../../schemas/manifest.js";

/** The end of a name that a folder has while it is written, or once it is replaced. */
const ASIDE = /\.[0-9a-f]{12}(\.old)?$/;

/** What a manifest says of each file, in their order. */
export const filesOf = (contents: Readonly<Record<string, Buffer>>): ManifestFile[] =>
  Object.entries(contents).map(([name, bytes]) => ({ name, bytes: bytes.length, crc32c: crc32c(bytes) }));

/** @throws KindredError MODEL_INVALID: not there, of another size or checksum */
export async function readChecked(directory: string, { name, bytes, crc32c: expected }: ManifestFile): Promise<Buffer> {
  const content = await readPart(directory, name);
  if (content.length !== bytes) throw new KindredError("MODEL_INVALID", `${content.length} bytes, not ${bytes}`, join(directory, name));
  if (crc32c(content) !== expected)
    throw new KindredError("MODEL_INVALID", "its checksum is another than the manifest's", join(directory, name));
  return content;
}

/** @throws KindredError MODEL_INVALID */
export async function readPart(directory: string, name: string): Promise<Buffer> {
  return readFile(join(directory, name)).catch((cause: Error) => {
    throw new KindredError("MODEL_INVALID", `the file can't be read: ${cause.message}`, join(directory, name), { cause });
  });
}

/** Whether a name at the top of a folder is one that we give. */
export type IsOurs = (name: string) => boolean;

/**
 * A folder with these files in place of what is there: written beside it under another name, synced, renamed. What is there is removed,
 * and must hold nothing but `ours`: a slip of the pen must not cost somebody their files. A name may have one folder before it.
 * @throws KindredError INVALID_ARGUMENT (something else is in it), STORAGE_FAILED
 */
export async function replaceFolder(directory: string, files: Readonly<Record<string, Buffer>>, ours: IsOurs): Promise<void> {
  const place = resolve(directory);
  await checkReplaceable(place, ours);
  const aside = `${place}.${randomBytes(6).toString("hex")}`;
  const old = `${aside}.old`;
  try {
    await mkdir(aside, { recursive: true });
    const folders = new Set([aside, ...Object.keys(files).map((name) => dirname(join(aside, name)))]);
    for (const folder of folders) await mkdir(folder, { recursive: true });
    for (const [name, content] of Object.entries(files)) await writeSynced(join(aside, name), content);
    for (const folder of folders) await syncFolder(folder);
    await rename(place, old).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    await rename(aside, place);
    await syncFolder(dirname(place));
    await rm(old, { recursive: true, force: true });
  } catch (cause) {
    await rm(aside, { recursive: true, force: true }).catch(() => undefined);
    throw new KindredError("STORAGE_FAILED", `the folder can't be written: ${(cause as Error).message}`, directory, { cause });
  }
}

/**
 * Puts right what a process left that died while it replaced a folder: the old one gets its name back where the new one had not
 * yet taken it, and what was written aside is removed.
 * @throws KindredError STORAGE_FAILED
 */
export async function recoverFolder(directory: string): Promise<void> {
  const place = resolve(directory);
  try {
    const names = await readdir(dirname(place)).catch((): string[] => []);
    const aside = names.filter((name) => ASIDE.test(name) && name.replace(ASIDE, "") === basename(place));
    const old = aside.find((name) => name.endsWith(".old"));
    if (old !== undefined && !names.includes(basename(place))) await rename(join(dirname(place), old), place);
    for (const name of aside) await rm(join(dirname(place), name), { recursive: true, force: true });
  } catch (cause) {
    throw new KindredError("STORAGE_FAILED", `the folder can't be put right: ${(cause as Error).message}`, directory, { cause });
  }
}

/** Whether a folder can be made, or replaced. @throws KindredError INVALID_ARGUMENT */
export async function checkReplaceable(directory: string, ours: IsOurs): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new KindredError("INVALID_ARGUMENT", `this can't be a folder of a model: ${error.message}`, directory, { cause: error });
  });
  // What a crash left under another name is ours too.
  const other = names.find((name) => !ours(name.replace(ASIDE, "")));
  if (other !== undefined)
    throw new KindredError(
      "INVALID_ARGUMENT",
      `there is ${JSON.stringify(other)} in the folder, which is no part of a model: it is left alone`,
      directory,
    );
}

async function writeSynced(path: string, content: Buffer): Promise<void> {
  const file = await open(path, "wx", 0o644);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
