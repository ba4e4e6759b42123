import type { UserId } from "../schemas/ids.js";
import type { ItemInfo } from "../schemas/item.js";
import { makeOfferings, type Offerings, type Scene } from "./offerings.js";
import { Random } from "./random.js";
import { WeightedTable } from "./weighted-table.js";

export interface TownOptions {
  /** 0 to 2^32 - 1: everything follows from it. */
  readonly seed: number;
  /** 2 to 10,000,000 */
  readonly listeners: number;
}

/** Someone who lives in the town, as they are on the first day; tastes drift while events are made. */
export interface Listener {
  readonly user: UserId;
  /** Share of each genre, strongest first; a few of all. */
  readonly tastes: readonly { readonly genre: number; readonly weight: number }[];
  readonly scenes: WeightedTable<Scene>;
  /** Relative number of events. */
  readonly activity: number;
  /** Places in `Town.listeners`. */
  readonly friends: readonly number[];
  /** The circle of friends that the taste was shared in. */
  readonly circle: number;
}

/** A made-up music town: who lives there, what there is to listen to. The same options give the same town. */
export interface Town {
  readonly options: TownOptions;
  readonly items: readonly ItemInfo[];
  readonly listeners: readonly Listener[];
  /** Each pair once; friends share tastes. */
  readonly friends: readonly (readonly [UserId, UserId])[];
  readonly offerings: Offerings;
}

const CIRCLE_SIZE = 8;
/** Share of a listener's tastes that comes from the circle. */
const SHARED = 2;

function drawGenres(random: Random, genres: number, count: number): number[] {
  const drawn = new Set<number>();
  while (drawn.size < Math.min(count, genres)) drawn.add(random.below(genres));
  return [...drawn];
}

function tastesOf(random: Random, circleGenres: readonly number[], genres: number): Listener["tastes"] {
  const weights = new Map<number, number>();
  for (const genre of circleGenres.slice(0, SHARED)) weights.set(genre, 4 + random.below(4));
  for (const genre of drawGenres(random, genres, 2)) weights.set(genre, (weights.get(genre) ?? 0) + 1 + random.below(2));
  return [...weights].map(([genre, weight]) => ({ genre, weight })).sort((a, b) => b.weight - a.weight || a.genre - b.genre);
}

/** Most of a circle know each other; a few know someone of another circle. */
function befriend(random: Random, circles: readonly (readonly number[])[], listeners: number): Set<number>[] {
  const friends = Array.from({ length: listeners }, () => new Set<number>());
  const link = (a: number, b: number): void => {
    if (a === b) return;
    friends[a]?.add(b);
    friends[b]?.add(a);
  };
  for (const circle of circles) for (const a of circle) for (const b of circle) if (a < b && random.chance(0.6)) link(a, b);
  for (let i = 0; i < listeners; i++) if (random.chance(0.1)) link(i, random.below(listeners));
  return friends;
}

/** @throws RangeError when an option is out of its range */
export function generateTown(options: TownOptions): Town {
  const { seed, listeners: count } = options;
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) throw new RangeError(`seed must be an integer from 0 to 2^32 - 1: ${seed}`);
  if (!Number.isInteger(count) || count < 2 || count > 10_000_000)
    throw new RangeError(`listeners must be an integer from 2 to 10,000,000: ${count}`);
  const offerings = makeOfferings(seed, count);
  const random = new Random(seed, 2);
  const order = random.shuffle(Array.from({ length: count }, (_, i) => i));
  const circles: number[][] = [];
  for (let at = 0; at < count; at += CIRCLE_SIZE) circles.push(order.slice(at, at + CIRCLE_SIZE));
  const friends = befriend(random, circles, count);
  const listeners = new Array<Listener>(count);
  for (const [circle, members] of circles.entries()) {
    const shared = drawGenres(random, offerings.genres.length, SHARED);
    for (const i of members) {
      const scenes: Scene[] = ["music", "live", "podcast"];
      const shares = [7, random.below(3) + 0.5, random.below(3) + 0.5];
      listeners[i] = {
        user: `listener-${i + 1}` as UserId,
        tastes: tastesOf(random, shared, offerings.genres.length),
        scenes: new WeightedTable(scenes, (_, rank) => shares[rank] as number),
        activity: 1 / (1 + random.below(20)),
        friends: [...(friends[i] as Set<number>)].sort((a, b) => a - b),
        circle,
      };
    }
  }
  const pairs = listeners.flatMap((listener, i) =>
    listener.friends.filter((j) => j > i).map((j) => [listener.user, listeners[j]?.user as UserId] as const),
  );
  return { options, items: offerings.items, listeners, friends: pairs, offerings };
}
