/**
 * Does the graph model find friends? Trained on Last.fm plays of 1,892 people (weight: ln(1 + plays)) with defaults; u2u by cosine of
 * pooled users. The 12,717 real friendships, never shown to it, against as many random pairs: AUC; recall@50 of friends; and
 * the mean Jaccard of the 50 neighbours' artists with one's own, beside the 50 that are nearest by Jaccard itself.
 *
 *   npm run -s bench -- graph-friends DIR_OF_LASTFM_2K
 */
import { jaccard } from "../models/evaluation/user-neighbours.js";
import { trainGraph } from "../models/training/graph.js";
import type { GraphSettings } from "../models/training/graph-settings.js";
import { HistoriesBuilder } from "../models/training-set/histories.js";
import type { ItemId } from "../schemas/ids.js";
import type { ItemModel, TrainingSet } from "../schemas/model.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { lastfmLines } from "./harness/lastfm.js";
import { Results, round } from "./harness/results.js";

const data = process.argv[2];
if (data === undefined) throw new Error("usage: npm run -s bench -- graph-friends DIR_OF_LASTFM_2K");
const NEIGHBOURS = 50;

const plays = (await lastfmLines(data, "user_artists.dat.gz")) as [string, string, string][];
const builder = new HistoriesBuilder();
const byUser = new Map<string, [ItemId, number][]>();
for (const [user, artist, count] of plays) {
  const own = byUser.get(user) ?? [];
  own.push([artist as ItemId, Math.log1p(Number(count))]);
  byUser.set(user, own);
}
for (const [user, own] of byUser)
  builder.add(
    user,
    own.map(([artist]) => artist),
  );
const histories = builder.build();
const strength = histories.users.map((user) => new Map(byUser.get(user)));
const weights = new Float32Array(histories.rows.length);
for (const [user, own] of strength.entries())
  for (let at = histories.starts[user]!; at < histories.starts[user + 1]!; at++)
    weights[at] = own.get(histories.items[histories.rows[at]!]!)!;
const set: TrainingSet = { histories, weights };
const sets = histories.users.map((_, user) => histories.rows.slice(histories.starts[user], histories.starts[user + 1]).sort());
const numberOf = new Map(histories.users.map((user, at) => [user, at]));
const friends = ((await lastfmLines(data, "user_friends.dat.gz")) as [string, string][])
  .map(([a, b]) => [numberOf.get(a)!, numberOf.get(b)!] as const)
  .filter(([a, b]) => a < b);
const random = seededRandom(1);
const strangers = friends.map(() => [random(histories.users.length), random(histories.users.length)] as const).filter(([a, b]) => a !== b);
const friendsOf = histories.users.map(() => new Set<number>());
for (const [a, b] of friends) {
  friendsOf[a]!.add(b);
  friendsOf[b]!.add(a);
}

/** Unit vectors of pooled users. */
function pooled({ input: { dims, values } }: ItemModel): Float32Array[] {
  return histories.users.map((_, user) => {
    const pool = new Float32Array(dims);
    for (let at = histories.starts[user]!; at < histories.starts[user + 1]!; at++)
      for (let d = 0; d < dims; d++) pool[d]! += weights[at]! * values[histories.rows[at]! * dims + d]!;
    const length = Math.hypot(...pool) || 1;
    return pool.map((x) => x / length);
  });
}

function auc(score: (a: number, b: number) => number): number {
  const near = friends.map(([a, b]) => score(a, b));
  const far = Float64Array.from(strangers.map(([a, b]) => score(a, b))).sort();
  const under = (value: number, orEqual: boolean): number => {
    let [low, high] = [0, far.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (far[middle]! < value || (orEqual && far[middle] === value)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  // Ties a half.
  return near.reduce((sum, value) => sum + (under(value, false) + under(value, true)) / 2, 0) / (near.length * far.length);
}

function figures(score: (a: number, b: number) => number): [auc: number, recall: number, jaccard: number] {
  let [recall, asked, alike] = [0, 0, 0];
  for (const user of histories.users.keys()) {
    const others = [...histories.users.keys()].filter((other) => other !== user).map((other) => ({ other, score: score(user, other) }));
    const nearest = others.sort((a, b) => b.score - a.score).slice(0, NEIGHBOURS);
    alike += nearest.reduce((sum, { other }) => sum + jaccard(sets[user]!, sets[other]!), 0) / NEIGHBOURS;
    if (friendsOf[user]!.size === 0) continue;
    asked++;
    recall += nearest.filter(({ other }) => friendsOf[user]!.has(other)).length / friendsOf[user]!.size;
  }
  return [auc(score), recall / asked, alike / histories.users.length];
}

const results = new Results("graph-friends", "Last.fm: friends found by u2u of the graph model, without side information", [
  ...["what", "dimensions", "AUC", `recall@${NEIGHBOURS}`, `mean Jaccard of ${NEIGHBOURS}`, "of the exact"],
]);
const [exactAuc, exactRecall, exact] = figures((a, b) => jaccard(sets[a]!, sets[b]!));
results.row("exact Jaccard", null, round(exactAuc, 3), round(exactRecall, 3), round(exact, 4), 1);

async function row(what: string, settings: Partial<GraphSettings>): Promise<void> {
  const { model } = await trainGraph(set, { threads: 1, ...settings });
  const vectors = pooled(model);
  const [area, recall, alike] = figures((a, b) => vectors[a]!.reduce((sum, x, d) => sum + x * vectors[b]![d]!, 0));
  results.row(what, model.input.dims, round(area, 3), round(recall, 3), round(alike, 4), round(alike / exact, 3));
}
await row("the spectrum alone", { epochs: 0, inputSmoothing: 0, inputSmoothingEach: 0 });
await row("defaults", {});
for (const text of process.argv.slice(3)) await row(text, JSON.parse(text) as Partial<GraphSettings>);
await results.write();
