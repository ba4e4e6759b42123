/**
 * How settings of item2vec are chosen: a random fifth of each user's items of train are held out, nothing of test is looked at. A row for
 * each settings given, or for those of the table in docs/DECISIONS.md.
 *
 *   npm run -s bench -- item2vec-validation DIR_OF_GOWALLA ['{"negatives":64}' '{"negatives":128}' ...]
 */
import { join } from "node:path";
import { trainItem2vec } from "../models/training/item2vec.js";
import type { Item2vecSettings } from "../models/training/item2vec-settings.js";
import { HistoriesBuilder, readHistories } from "../models/training-set/histories.js";
import type { ItemId } from "../schemas/ids.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { Results, round } from "./harness/results.js";
import { scoreSplit } from "./harness/split-scorer.js";

/** The table of docs/DECISIONS.md, where what is not named is as the last row has it. */
const TRIED: readonly Partial<Item2vecSettings>[] = [
  { negatives: 24, exponent: 0.5, constrained: 0 },
  { window: 6, negatives: 16, exponent: 0.5, constrained: 0 },
  { negatives: 24, exponent: 0.5, constrained: 0.5 },
  { negatives: 24, exponent: 0.5, constrained: 0, rate: 1 },
  { negatives: 48, exponent: 0.5, constrained: 0 },
  { negatives: 128, exponent: 0.5, constrained: 0, rate: 0.3, epochs: 15 },
  { window: 24, negatives: 128, exponent: 0.5, constrained: 0, rate: 0.3, epochs: 15 },
  { negatives: 128, exponent: 0.5, constrained: 0, rate: 0.3, epochs: 15, sample: 1e-4 },
  { negatives: 128, exponent: 0.5, constrained: 0, rate: 0.3, epochs: 15, negativeWeight: 30 },
  { negatives: 128, rate: 0.3, epochs: 15 },
  { exponent: 0.5, constrained: 0 },
  { constrained: 0.35, strata: 8 },
  {},
];

const [data, ...all] = process.argv.slice(2);
if (data === undefined) throw new Error("usage: npm run -s bench -- item2vec-validation DIR_OF_GOWALLA [SETTINGS_AS_JSON ...]");
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
const results = new Results(
  "item2vec-validation",
  "Settings of item2vec by a fifth of Gowalla's train file that was held out of it: d = 128, one thread, one user in five is asked",
  [
    "settings that are not the defaults",
    "recall@20",
    "ndcg@20",
    "of the head",
    "of the middle",
    "of the tail",
    "CPU s",
    "million pairs a CPU s",
  ],
);
for (const settings of all.length === 0 ? TRIED : all.map((text) => JSON.parse(text) as Partial<Item2vecSettings>)) {
  const { model, metrics, cpuSeconds } = await trainItem2vec({ histories }, { threads: 1, ...settings });
  const { recall, ndcg, byThird } = await scoreSplit(model, histories, wanted, 20, 5);
  const { pairs } = metrics;
  const figures = [recall, ndcg, ...byThird].map((figure) => round(figure, 4));
  const named = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  results.row(named.join(", ") || "none", ...figures, round(cpuSeconds), round(pairs / cpuSeconds / 1e6, 2));
}
results.note("One seed, one user in five: a standard error of about .003 for recall@20.");
await results.write();
