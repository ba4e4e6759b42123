import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

/** The fields of each line of one of the files of `../shared/data/lastfm-2k`, without its head. */
export const lastfmLines = async (directory: string, name: string): Promise<string[][]> =>
  gunzipSync(await readFile(join(directory, name)))
    .toString("utf8")
    .split(/\r?\n/)
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split("\t"));
