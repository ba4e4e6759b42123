import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { crc32c } from "../native/vector-index.js";
import { KindredError } from "../schemas/errors.js";
import type { ManifestFile } from "../schemas/manifest.js";

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

/**
 * A folder with these files in place of what is there: written beside it under another name, synced, renamed. What is there is removed,
 * and must hold nothing but `ours`: a slip of the pen must not cost somebody their files.
 * @throws KindredError INVALID_ARGUMENT (something else is in it), STORAGE_FAILED
 */
export async function replaceFolder(directory: string, files: Readonly<Record<string, Buffer>>, ours: readonly string[]): Promise<void> {
  const place = resolve(directory);
  await checkReplaceable(place, ours);
  const aside = `${place}.${randomBytes(6).toString("hex")}`;
  const old = `${aside}.old`;
  try {
    await mkdir(aside, { recursive: true });
    for (const [name, content] of Object.entries(files)) await writeSynced(join(aside, name), content);
    await syncFolder(aside);
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

/** Whether a folder can be made, or replaced. @throws KindredError INVALID_ARGUMENT */
export async function checkReplaceable(directory: string, ours: readonly string[]): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new KindredError("INVALID_ARGUMENT", `this can't be a folder of a model: ${error.message}`, directory, { cause: error });
  });
  // What a crash left under another name is ours too.
  const other = names.find((name) => !ours.includes(name.replace(/\.[0-9a-f]{12}(\.old)?$/, "")));
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
