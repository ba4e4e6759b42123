import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FileProgress } from "../../streams/journal/file-progress.js";

/**
 * How far files were sent to the server of a data directory, by the hash of their content. The journal, which knows that of its
 * own backfills in the very batch of the rows, is open in the server only; so a batch that was acknowledged in the moment
 * before the command was killed may be sent twice.
 */
export class ReplayMarkers {
  constructor(private readonly dataDir: string) {}

  async read(fileHash: string): Promise<FileProgress | undefined> {
    try {
      return JSON.parse(await readFile(this.pathOf(fileHash), "utf8")) as FileProgress;
    } catch {
      return undefined;
    }
  }

  /** Written aside and renamed: never half. */
  async write(fileHash: string, progress: FileProgress): Promise<void> {
    await mkdir(join(this.dataDir, "replayed"), { recursive: true });
    const aside = `${this.pathOf(fileHash)}.${randomUUID()}`;
    await writeFile(aside, `${JSON.stringify(progress)}\n`);
    await rename(aside, this.pathOf(fileHash));
  }

  private pathOf(fileHash: string): string {
    return join(this.dataDir, "replayed", `${fileHash}.json`);
  }
}
