import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Friendship } from "../../models/evaluation/friends.js";
import { TrainingSetBuilder } from "../../models/training-set/training-set-builder.js";
import type { ItemId } from "../../schemas/ids.js";
import type { TrainingSet } from "../../schemas/model.js";

/** The fields of each line of one of the files of `../shared/data/lastfm-2k`, without its head. */
export const lastfmLines = async (directory: string, name: string): Promise<string[][]> =>
  gunzipSync(await readFile(join(directory, name)))
    .toString("utf8")
    .split(/\r?\n/)
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split("\t"));

/** Plays as a training set with the artists' tags as side information, and who is friends with whom. */
export async function lastfmSet(directory: string): Promise<{ readonly set: TrainingSet; readonly friends: Friendship[] }> {
  const builder = new TrainingSetBuilder();
  for (const [user, artist, plays] of await lastfmLines(directory, "user_artists.dat.gz"))
    builder.add(user!, artist as ItemId, { weight: Number(plays) });
  const tags = new Map<ItemId, Set<string>>();
  for (const [, artist, tag] of await lastfmLines(directory, "user_taggedartists.dat.gz"))
    tags.set(artist as ItemId, (tags.get(artist as ItemId) ?? new Set()).add(tag!));
  for (const [item, own] of tags) builder.addInfo({ item, type: "artist", tags: [...own] });
  const friends = (await lastfmLines(directory, "user_friends.dat.gz")).map(([a, b]): Friendship => [a!, b!]);
  return { set: builder.build(), friends };
}
