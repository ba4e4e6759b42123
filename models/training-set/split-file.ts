import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { KindredError } from "../../schemas/errors.js";
import type { Histories } from "../../schemas/model.js";

/** Users a block of text: some hundred kilobytes. */
const USERS_A_BLOCK = 1024;

/** Whether an id can be in a split file: ids are parted by spaces, tabs and ends of lines there. */
export const isWritable = (id: string): boolean => id !== "" && !/[ \t\r\n]/.test(id);

/**
 * Histories as a split file that `readHistories` reads: `user item item ...` a line, gzipped, users and items in their order; the same
 * histories are the same bytes. It is written beside its place and renamed: a file of that name is whole.
 * @throws KindredError INVALID_ARGUMENT (an id with a space, which parts ids there, or an empty one), STORAGE_FAILED
 */
export async function writeHistories(path: string, histories: Histories): Promise<void> {
  for (const ids of [histories.users, histories.items])
    for (const id of ids)
      if (!isWritable(id))
        throw new KindredError("INVALID_ARGUMENT", `${JSON.stringify(id)} can't be in a split file: spaces part ids there`, path);
  const aside = `${path}.unfinished`;
  try {
    await pipeline(Readable.from(blocks(histories)), createGzip(), createWriteStream(aside));
    await rename(aside, path);
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw new KindredError("STORAGE_FAILED", `the file can't be written: ${(cause as Error).message}`, path, { cause });
  }
}

function* blocks({ users, items, starts, rows }: Histories): Generator<string> {
  for (let from = 0; from < users.length; from += USERS_A_BLOCK) {
    const lines = users.slice(from, from + USERS_A_BLOCK).map((user, i) => {
      const own = rows.subarray(starts[from + i], starts[from + i + 1]);
      return `${[user, ...Array.from(own, (row) => items[row])].join(" ")}\n`;
    });
    yield lines.join("");
  }
}
