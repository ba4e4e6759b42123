import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { KindredError } from "../../schemas/errors.js";

/** Bytes of a chunk, about. */
const CHUNK_BYTES = 256 << 10;

/** The bytes of a file as they come; where it is gzipped (by its first bytes, not its name), unpacked. */
export class FileChunks {
  /** Bytes of the file itself read so far, for progress. */
  bytesRead = 0;
  /** Set when the compressed data ended too early or was damaged: what came before it is good. */
  damage: string | undefined;

  constructor(readonly path: string) {}

  /** @throws KindredError FILE_FORMAT when the file can't be read, or is no gzip though it begins like one */
  async *chunks(signal?: AbortSignal): AsyncGenerator<Buffer> {
    const zipped = await isGzip(this.path);
    const file = createReadStream(this.path, { highWaterMark: CHUNK_BYTES });
    file.on("data", (chunk) => {
      this.bytesRead += chunk.length;
    });
    const source: Readable = zipped ? file.pipe(createGunzip({ chunkSize: CHUNK_BYTES })) : file;
    if (zipped) file.on("error", (error) => source.destroy(error));
    let given = false;
    try {
      for await (const chunk of source) {
        if (signal?.aborted === true) return;
        given = true;
        yield chunk as Buffer;
      }
    } catch (error) {
      if (!zipped || !isZlibError(error)) throw unreadable(this.path, error);
      this.damage =
        error.code === "Z_BUF_ERROR" ? "the compressed data ends too early" : `the compressed data is damaged: ${error.message}`;
      if (!given && error.code !== "Z_BUF_ERROR") throw new KindredError("FILE_FORMAT", `${this.path}: ${this.damage}`, this.path);
    } finally {
      file.destroy();
    }
  }
}

async function isGzip(path: string): Promise<boolean> {
  try {
    const file = await open(path);
    try {
      const head = Buffer.alloc(2);
      await file.read(head, 0, 2, 0);
      return head[0] === 0x1f && head[1] === 0x8b;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

const isZlibError = (error: unknown): error is Error & { code: string } =>
  error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("Z_");

const unreadable = (path: string, cause: unknown): KindredError =>
  new KindredError("FILE_FORMAT", `${path} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`, path, { cause });
