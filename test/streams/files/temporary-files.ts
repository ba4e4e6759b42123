import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** Writes files into a directory that goes after the tests of the file. */
export function temporaryFiles(): (name: string, content: string | Uint8Array) => Promise<string> {
  let directory: Promise<string> | undefined;
  afterAll(async () => {
    if (directory !== undefined) await rm(await directory, { recursive: true, force: true });
  });
  return async (name, content) => {
    directory ??= mkdtemp(join(tmpdir(), "kindred-files-"));
    const path = join(await directory, name);
    await writeFile(path, content);
    return path;
  };
}
