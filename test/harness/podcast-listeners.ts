import { popularityOf } from "../../models/training-set/histories.js";
import { TrainingSetBuilder } from "../../models/training-set/training-set-builder.js";
import type { ItemId } from "../../schemas/ids.js";
import type { ItemModel, TrainingSet } from "../../schemas/model.js";
import { generateTown } from "../../town/town.js";
import { townHistory } from "../../town/town-events.js";

/** Who is known by podcasts alone, and the songs that they turned out to like. */
export interface PodcastListeners {
  readonly set: TrainingSet;
  readonly held: ReadonlyMap<string, ReadonlySet<ItemId>>;
}

/** Every fifth listener of the made-up town keeps podcasts only; who liked no podcast, or no song, is left out of the question. */
export function podcastListeners({
  listeners,
  eventsEach,
  seed,
}: {
  listeners: number;
  eventsEach: number;
  seed: number;
}): PodcastListeners {
  const town = generateTown({ seed, listeners });
  const [builder, songs, podcasts] = [new TrainingSetBuilder(), new Map<string, Set<ItemId>>(), new Set<string>()];
  const chosen = new Set(town.listeners.filter((_, i) => i % 5 === 0).map(({ user }) => user));
  for (const info of town.items) builder.addInfo(info);
  for (const { user, item, action, ts, scene } of townHistory(town, { seed, endTs: 1.7e12, spanMs: 1e9, eventsEach })) {
    const weight = action === "skip" || action === "dislike" ? -1 : 1;
    const isPodcast = item.startsWith("podcast:");
    if (!chosen.has(user) || isPodcast) builder.add(user, item, { weight, ts, action, ...(scene !== undefined && { scene }) });
    if (!chosen.has(user) || weight < 0) continue;
    if (isPodcast) podcasts.add(user);
    else if (item.startsWith("song:")) songs.set(user, (songs.get(user) ?? new Set()).add(item));
  }
  return { set: builder.build(), held: new Map([...songs].filter(([user]) => podcasts.has(user))) };
}

/** Of the songs held out, the share among the first k songs, by listener. */
export function songRecall({ set, held }: PodcastListeners, k: number, scoreOf: (user: number) => (row: number) => number): number {
  const { histories } = set;
  const rows = [...histories.items.keys()].filter((row) => histories.items[row]!.startsWith("song:"));
  let sum = 0;
  for (const [name, songs] of held) {
    const score = scoreOf(histories.users.indexOf(name));
    const scores = new Map(rows.map((row) => [row, score(row)]));
    const best = [...rows].sort((a, b) => scores.get(b)! - scores.get(a)!).slice(0, k);
    sum += best.filter((row) => songs.has(histories.items[row]!)).length / songs.size;
  }
  return sum / held.size;
}

/** A cold list: what most people have, the same for everybody. */
export function byPopularity({ set }: PodcastListeners): (user: number) => (row: number) => number {
  const counts = popularityOf(set.histories);
  return () => (row) => counts[row]!;
}

/** Mean of the input vectors of what the user has, against output vectors. */
export function byModel({ set: { histories } }: PodcastListeners, { input, output }: ItemModel): (user: number) => (row: number) => number {
  const { dims } = input;
  return (user) => {
    const own = histories.rows.subarray(histories.starts[user], histories.starts[user + 1]);
    const pool = new Float64Array(dims);
    for (const row of own) for (let d = 0; d < dims; d++) pool[d]! += input.values[row * dims + d]! / own.length;
    return (row) => {
      let dot = 0;
      for (let d = 0; d < dims; d++) dot += pool[d]! * output.values[row * dims + d]!;
      return dot;
    };
  };
}
