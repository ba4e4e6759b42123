import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Catalogue } from "../../schemas/catalogue.js";
import type { ItemId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { LogRecord } from "../../schemas/log-record.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import type { PublishedRow } from "../../schemas/ports/read-model.js";
import { labelsOf } from "../../state/keyword-table.js";
import { activate, catalogueOf, event, positioned, TestPartition } from "../../test/state/fold-fixture.js";

/** All at one time: split files have none, and Last.fm's are sums. */
const DAY = 14_975;

/** Real people folded as the product folds them, with default settings. */
export interface RealUsers {
  readonly rows: readonly PublishedRow[];
  readonly keywordsOf: (item: ItemId) => readonly string[];
  readonly kind: "tags" | "items";
  /** A user's strongest keywords that count; 0: all. */
  readonly top: number;
}

const linesOf = async (file: string): Promise<string[]> =>
  gunzipSync(await readFile(file))
    .toString("utf8")
    .split(/\r?\n/)
    .filter((line) => line !== "");

/** Last.fm: plays of artists, keywords are the five strongest tags. */
export async function lastfmUsers(directory: string, store?: KeyValueStore): Promise<RealUsers> {
  const cells = async (name: string): Promise<string[][]> =>
    (await linesOf(join(directory, name))).slice(1).map((line) => line.split("\t"));
  const tags = new Map<string, Set<string>>();
  for (const [, artist, tag] of (await cells("user_taggedartists.dat.gz")) as [string, string, string][])
    tags.set(artist, (tags.get(artist) ?? new Set()).add(tag));
  const items = [...tags].map(([item, of]) => ({ item: item as ItemId, type: "artist", tags: [...of] }) as ItemInfo);
  const plays = ((await cells("user_artists.dat.gz")) as [string, string, string][]).map(([user, artist, value]) =>
    event(user, artist, DAY, { action: "play", value: Number(value) }),
  );
  const catalogue = catalogueOf(1, {}, items);
  const rows = await fold(plays, catalogue, store);
  return { rows, keywordsOf: (item) => labelsOf("tags", item, catalogue.items.get(item)), kind: "tags", top: 5 };
}

/** A split file, `user item item ...` a line: keywords are all items of the profile. */
export async function splitUsers(file: string): Promise<RealUsers> {
  const visits = (await linesOf(file)).flatMap((line) => {
    const [user, ...items] = line.trim().split(" ");
    return items.map((item) => event(user as string, item, DAY, { action: "click" }));
  });
  return { rows: await fold(visits, catalogueOf(1)), keywordsOf: (item) => [item], kind: "items", top: 0 };
}

async function fold(records: readonly LogRecord[], catalogue: Catalogue, store?: KeyValueStore): Promise<PublishedRow[]> {
  const partition = await TestPartition.open([catalogue], { ...(store && { store }) });
  await partition.run(positioned([activate(1), ...records]), 4_096);
  const rows: PublishedRow[] = [];
  for await (const batch of partition.state.scanRows(4_096)) rows.push(...batch.rows);
  return rows.filter((row) => row.hasFingerprint);
}
