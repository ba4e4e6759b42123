/**
 * How settings of metapath2vec are chosen: a line for each settings given (JSON; "kind":"item2vec" for the other one), on the made-up town's
 * podcast listeners of another seed than the bench's, and on Last.fm where its directory is given.
 *
 *   npm run -s bench -- metapath2vec-validation DIR_OF_LASTFM_2K '{"window":4}' '{"window":6}'
 */
import { friendFigures } from "../models/evaluation/friends.js";
import { shareRows } from "../models/evaluation/shared-rows.js";
import { trainItem2vec } from "../models/training/item2vec.js";
import { trainMetapath2vec } from "../models/training/metapath2vec.js";
import type { TrainingSet } from "../schemas/model.js";
import { byModel, byPopularity, podcastListeners, songRecall } from "../test/harness/podcast-listeners.js";
import { lastfmSet } from "./harness/lastfm.js";

const [data, ...all] = process.argv.slice(2);
if (data === undefined) throw new Error("usage: npm run -s bench -- metapath2vec-validation DIR_OF_LASTFM_2K SETTINGS_AS_JSON ...");
const town = podcastListeners({ listeners: 2000, eventsEach: 100, seed: 99 });
console.log(`popularity: ${songRecall(town, 20, byPopularity(town)).toFixed(4)} of ${town.held.size} listeners`);
const lastfm = await lastfmSet(data);
const shared = shareRows(lastfm.set.histories, lastfm.set.histories, []);
for (const text of all) {
  const { kind, on = "both", ...settings } = JSON.parse(text) as { kind?: string; on?: string };
  const train = (set: TrainingSet) =>
    (kind === "item2vec" ? trainItem2vec : trainMetapath2vec)(set, { dims: 64, threads: 1, ...settings } as never);
  const figures: string[] = [];
  if (on !== "lastfm") {
    const { model, cpuSeconds, metrics } = await train(town.set);
    figures.push(
      `town recall@20 ${songRecall(town, 20, byModel(town, model)).toFixed(4)} (${cpuSeconds.toFixed(0)} CPU s, ${metrics.pairs} pairs, ${metrics.loss.toFixed(3)})`,
    );
  }
  if (on !== "town") {
    const { model, cpuSeconds } = await train(lastfm.set);
    const { auc, values } = await friendFigures(model, shared, lastfm.friends, { k: 50, seed: 1 });
    const recall = values.get("recall@50")!;
    figures.push(
      `friends AUC ${auc.toFixed(3)}, recall@50 ${(recall.reduce((a, b) => a + b, 0) / recall.length).toFixed(3)} (${cpuSeconds.toFixed(0)} CPU s)`,
    );
  }
  console.log(`${text}: ${figures.join("; ")}`);
}
