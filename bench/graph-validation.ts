/**
 * How settings of the graph model are chosen: a random tenth of each user's items of train are held out, nothing of test is looked at. Prints
 * one line for each settings given, with --cold recall of users who are held out whole; which were tried is in docs/DECISIONS.md.
 *
 *   npm run -s bench -- graph-validation DIR_OF_SPLIT '{"rate":0.1}' '{"rate":0.2}'
 */
import { join } from "node:path";
import { trainGraph } from "../models/training/graph.js";
import type { GraphSettings } from "../models/training/graph-settings.js";
import { HistoriesBuilder, readHistories } from "../models/training-set/histories.js";
import type { ItemId } from "../schemas/ids.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { coldUsers } from "./harness/cold-users.js";
import { scoreSplit } from "./harness/split-scorer.js";

const cold = process.argv.includes("--cold");
const [data, ...all] = process.argv.slice(2).filter((given) => given !== "--cold");
if (data === undefined || all.length === 0)
  throw new Error("usage: npm run -s bench -- graph-validation DIR_OF_SPLIT [--cold] SETTINGS_AS_JSON ...");
const whole = await readHistories(join(data, "train.txt.gz"));
const random = seededRandom(12_345);
const [train, held] = [new HistoriesBuilder(), new HistoriesBuilder()];
for (const [at, user] of whole.users.entries()) {
  const parts: [ItemId[], ItemId[]] = [[], []];
  for (const row of whole.rows.subarray(whole.starts[at], whole.starts[at + 1])) parts[random(10) === 0 ? 1 : 0].push(whole.items[row]!);
  train.add(user, parts[0]);
  held.add(user, parts[1]);
}
const [histories, wanted] = [train.build(), held.build()];
const users = coldUsers(whole, 3);
for (const text of all) {
  const settings = JSON.parse(text) as Partial<GraphSettings>;
  if (cold) {
    const { model } = await trainGraph({ histories: users.warm }, { threads: 1, ...settings });
    const recalls = [];
    for (const events of [1, 3, 10]) recalls.push((await users.score(model, events)).recall.toFixed(4));
    console.log(`${text}: recall@20 of users never trained on, after 1, 3 and 10 events ${recalls.join(" ")}`);
    continue;
  }
  const { model, metrics, cpuSeconds } = await trainGraph({ histories }, { threads: 1, ...settings });
  // One user in three: a standard error of about .004, and much less between two settings.
  const { recall, ndcg, byThird } = await scoreSplit(model, histories, wanted, 20, 3);
  const figures = [recall, ndcg, ...byThird].map((figure) => figure.toFixed(4)).join(" ");
  console.log(
    `${text}: recall@20, ndcg@20, head, middle, tail ${figures}; loss ${metrics.loss.toFixed(3)}, ${cpuSeconds.toFixed(1)} CPU s`,
  );
}
