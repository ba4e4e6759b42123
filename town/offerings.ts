import type { ItemId } from "../schemas/ids.js";
import type { ItemInfo } from "../schemas/item.js";
import { Names } from "./names.js";
import { Random } from "./random.js";
import { WeightedTable } from "./weighted-table.js";

export type Scene = "music" | "live" | "podcast";

/** What one can listen to, by scene and genre; the popular ones come up more often, down to a long tail. */
export interface Offerings {
  readonly genres: readonly string[];
  readonly items: readonly ItemInfo[];
  /** By scene, then by the number of the genre. */
  readonly tables: Readonly<Record<Scene, readonly WeightedTable<ItemInfo>[]>>;
}

interface Artist {
  readonly name: string;
  readonly genre: number;
  readonly second: number;
  readonly mood: string;
}

const SONGS_OF_ARTIST = { least: 3, most: 24 };

function makeArtists(count: number, genres: number, names: Names, random: Random): Artist[] {
  return Array.from({ length: count }, (_, i) => ({
    name: names.artist(),
    // The first ones of each genre in turn, so that no genre is without an artist.
    genre: i < genres ? i : random.below(genres),
    second: random.below(genres),
    mood: names.mood(),
  }));
}

/** Weight by Zipf's law over the order of a list; `offset` flattens the head. */
const zipf = (rank: number, offset: number): number => 1 / (rank + offset);

/** @param listeners the town's size decides how much there is to listen to */
export function makeOfferings(seed: number, listeners: number): Offerings {
  const random = new Random(seed, 1);
  const names = new Names(random);
  const genreCount = listeners < 200 ? 8 : 24;
  const genres = Array.from({ length: genreCount }, () => names.genre());
  const artists = makeArtists(Math.max(genreCount * 2, Math.round(listeners / 10)), genreCount, names, random);
  const items: ItemInfo[] = [];
  const byScene: Record<Scene, { info: ItemInfo; weight: number }[][]> = {
    music: genres.map(() => []),
    live: genres.map(() => []),
    podcast: genres.map(() => []),
  };
  const add = (scene: Scene, genre: number, info: ItemInfo, weight: number): void => {
    items.push(info);
    byScene[scene][genre]?.push({ info, weight });
  };
  const label = (genre: number): string => genres[genre] as string;

  let songs = 0;
  for (const [rank, artist] of artists.entries()) {
    const count = random.between(SONGS_OF_ARTIST.least, SONGS_OF_ARTIST.most);
    for (let i = 0; i < count; i++) {
      const tags = [label(artist.genre), random.chance(0.7) ? artist.mood : names.mood()];
      if (random.chance(0.25) && artist.second !== artist.genre) tags.push(label(artist.second));
      const creators = random.chance(0.1) ? [artist.name, random.pick(artists).name] : [artist.name];
      const info: ItemInfo = {
        item: `song:${++songs}` as ItemId,
        type: "song",
        title: names.song(),
        creators: [...new Set(creators)],
        tags,
        scene: "music",
      };
      add("music", artist.genre, info, zipf(rank, 5) * zipf(i, 2));
    }
  }
  for (let i = 0; i < Math.max(genreCount, Math.round(artists.length / 3)); i++) {
    const host = i < genreCount ? (artists.find((a) => a.genre === i) as Artist) : random.pick(artists);
    const info: ItemInfo = {
      item: `live:${i + 1}` as ItemId,
      type: "live",
      title: names.live(host.name),
      creators: [host.name],
      tags: [label(host.genre), host.mood, "live"],
      scene: "live",
    };
    add("live", host.genre, info, zipf(i, 4));
  }
  for (let i = 0; i < Math.max(genreCount, Math.round(artists.length / 3)); i++) {
    const genre = i % genreCount;
    const tags = [label(genre), names.mood(), "talk"];
    add(
      "podcast",
      genre,
      { item: `podcast:${i + 1}` as ItemId, type: "podcast", title: names.podcast(), creators: [names.artist()], tags, scene: "podcast" },
      zipf(i, 4),
    );
  }
  const tablesOf = (scene: Scene): WeightedTable<ItemInfo>[] =>
    byScene[scene].map((entries) => {
      const weights = new Map(entries.map(({ info, weight }) => [info, weight]));
      return new WeightedTable([...weights.keys()], (info) => weights.get(info) as number);
    });
  return { genres, items, tables: { music: tablesOf("music"), live: tablesOf("live"), podcast: tablesOf("podcast") } };
}
