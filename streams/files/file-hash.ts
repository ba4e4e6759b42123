import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { KindredError } from "../../schemas/errors.js";

/**
 * What identifies a file: SHA-256 of its bytes as they lie on the disk (a gzipped file's packed bytes), hex. Taken in a pass
 * of its own before the first row is read, because the position in the file is kept under it from the first batch on. A file
 * that was cut short, that grew, or that was packed anew is another file: its rows count beside those of the first.
 * @throws KindredError FILE_FORMAT when the file can't be read
 */
export async function hashFile(path: string): Promise<{ readonly hash: string; readonly bytes: number }> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
    return { hash: hash.digest("hex"), bytes: (await stat(path)).size };
  } catch (cause) {
    throw new KindredError("FILE_FORMAT", `${path} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`, path, {
      cause,
    });
  }
}
