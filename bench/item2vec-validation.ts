/**
 * How settings of item2vec are chosen: a random fifth of each user's items of train are held out, nothing of test is looked at. Prints one
 * line for each settings given; which were tried is in docs/DECISIONS.md.
 *
 *   npm run -s bench -- item2vec-validation DIR_OF_GOWALLA '{"negatives":64}' '{"negatives":128}'
 */
import { join } from "node:path";
import { HistoriesBuilder, readHistories } from "../models/histories.js";
import { trainItem2vec } from "../models/item2vec.js";
import type { Item2vecSettings } from "../models/item2vec-settings.js";
import type { ItemId } from "../schemas/ids.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { scoreSplit } from "./harness/split-scorer.js";

const [data, ...all] = process.argv.slice(2);
if (data === undefined || all.length === 0)
  throw new Error("usage: npm run -s bench -- item2vec-validation DIR_OF_GOWALLA SETTINGS_AS_JSON ...");
const whole = await readHistories(join(data, "train.txt.gz"));
const random = seededRandom(12_345);
const [train, held] = [new HistoriesBuilder(), new HistoriesBuilder()];
for (const [at, user] of whole.users.entries()) {
  const parts: [ItemId[], ItemId[]] = [[], []];
  for (const row of whole.rows.subarray(whole.starts[at], whole.starts[at + 1])) parts[random(5) === 0 ? 1 : 0].push(whole.items[row]!);
  train.add(user, parts[0]);
  held.add(user, parts[1]);
}
const [histories, wanted] = [train.build(), held.build()];
for (const text of all) {
  const settings = JSON.parse(text) as Partial<Item2vecSettings>;
  const { model, metrics, cpuSeconds } = await trainItem2vec({ histories }, { threads: 1, ...settings });
  // One user in five: a standard error of about .003.
  const { recall, ndcg, byThird } = await scoreSplit(model, histories, wanted, 20, 5);
  const { pairs } = metrics;
  const figures = [recall, ndcg, ...byThird].map((figure) => figure.toFixed(4)).join(" ");
  console.log(
    `${text}: recall@20, ndcg@20, head, middle, tail ${figures}; ${cpuSeconds.toFixed(1)} CPU s, ${(pairs / cpuSeconds / 1e6).toFixed(2)} million pairs a CPU s`,
  );
}
