/**
 * metapath2vec and metapath2vec++ beside item2vec: do people who are known by podcasts alone get songs that they like (made-up towns of other
 * seeds than the settings were chosen on), and are real friends of Last.fm near each other? Users are pooled from input vectors, as they are when served; in
 * the last columns users as nodes of the walks. One thread.
 *
 *   npm run -s bench -- metapath2vec DIR_OF_LASTFM_2K
 */
import { type FriendFigures, friendFigures } from "../models/evaluation/friends.js";
import { shareRows } from "../models/evaluation/shared-rows.js";
import { trainItem2vec } from "../models/training/item2vec.js";
import { trainMetapath2vec } from "../models/training/metapath2vec.js";
import type { Metapath2vecSettings } from "../models/training/metapath2vec-settings.js";
import type { Trained } from "../models/training/model-kind.js";
import type { ItemId } from "../schemas/ids.js";
import type { Histories, ItemModel, TrainingSet } from "../schemas/model.js";
import { byModel, byPopularity, podcastListeners, songRecall } from "../test/harness/podcast-listeners.js";
import { lastfmSet } from "./harness/lastfm.js";
import { Results, round } from "./harness/results.js";

const data = process.argv[2];
if (data === undefined) throw new Error("usage: npm run -s bench -- metapath2vec DIR_OF_LASTFM_2K");
const towns = [1, 2, 3].map((seed) => podcastListeners({ listeners: 2000, eventsEach: 100, seed }));
const lastfm = await lastfmSet(data);
const shared = shareRows(lastfm.set.histories, lastfm.set.histories, []);

const results = new Results("metapath2vec", "Songs for who is known by podcasts alone, and friends of Last.fm; d = 64, one thread", [
  "model",
  "recall@20 of songs, 3 towns",
  "CPU s a town",
  "AUC of friends",
  "recall@50 of friends",
  "CPU s of Last.fm",
  "AUC, users as nodes",
  "recall@50, users as nodes",
]);

const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
const friendRow = ({ auc, values }: FriendFigures): [number, number] => [round(auc, 3), round(mean(values.get("recall@50")!), 3)];

/** Users with vectors of their own, as if each were the one item that they have. */
function usersAsNodes(model: ItemModel): Promise<FriendFigures> | undefined {
  const own = model.nodes?.find(({ type }) => type === "user");
  if (own === undefined) return undefined;
  const items = own.ids as ItemId[];
  const rows = Uint32Array.from(items, (_, row) => row);
  const histories: Histories = { items, users: own.ids, starts: Uint32Array.of(0, ...rows.map((row) => row + 1)), rows };
  const nodes: ItemModel = { kind: model.kind, items, input: own.vectors, output: own.vectors, score: "cosine" };
  return friendFigures(nodes, shareRows(histories, histories, []), lastfm.friends, { k: 50, seed: 1 });
}

async function row(what: string, train: (set: TrainingSet) => Promise<Trained>, withTowns = true): Promise<void> {
  const [found, seconds]: [number[], number[]] = [[], []];
  for (const town of withTowns ? towns : []) {
    const { model, cpuSeconds } = await train(town.set);
    found.push(songRecall(town, 20, byModel(town, model)));
    seconds.push(cpuSeconds);
  }
  const { model, cpuSeconds } = await train(lastfm.set);
  const pooled = friendRow(await friendFigures(model, shared, lastfm.friends, { k: 50, seed: 1 }));
  const nodes = await usersAsNodes(model);
  const town = withTowns ? [round(mean(found), 4), round(mean(seconds), 1)] : [null, null];
  results.row(what, ...town, ...pooled, round(cpuSeconds, 1), ...(nodes ? friendRow(nodes) : [null, null]));
}

const walks = (settings: Partial<Metapath2vecSettings>) => (set: TrainingSet) =>
  trainMetapath2vec(set, { dims: 64, threads: 1, ...settings });
const cold = mean(towns.map((town) => songRecall(town, 20, byPopularity(town))));
results.row("the most popular songs, for everybody", round(cold, 4), null, null, null, null, null, null);
await row("item2vec", (set) => trainItem2vec(set, { dims: 64, threads: 1 }));
await row("metapath2vec", walks({}));
await row("metapath2vec++", walks({ heterogeneousNegatives: true }));
await row("metapath2vec++, user-item-user", walks({ heterogeneousNegatives: true, path: "user-item-user" }));
await row("metapath2vec++, user-item-tag-item-user", walks({ heterogeneousNegatives: true, path: "user-item-tag-item-user" }));
await row(
  "metapath2vec++, user-item-user, items alone are context",
  walks({ heterogeneousNegatives: true, path: "user-item-user", context: "item~item" }),
);
results.note(
  "Towns of 2,000 listeners with 100 events each; every fifth is known by podcasts alone, and the songs they liked are held out.",
);
results.note("Settings were chosen on another town, and with an eye on these friends too (bench/metapath2vec-validation.ts).");
results.note(
  "Friends: 12,717 pairs against as many random ones. A prototype had AUC .838 (user-artist-user) and .831 (user-artist-tag-artist-user).",
);
await results.write();
