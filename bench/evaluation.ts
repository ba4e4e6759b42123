/**
 * Does evaluation follow the published protocol, and what does it cost? Popularity on a split is a figure that others have published; random
 * vectors find nothing, and cost what any model of as many dimensions does: every item ranked for every user, exactly.
 *
 *   npm run -s bench -- evaluation --train FILE --test FILE [--dims 64]     (split files: `user item item ...` a line, .gz)
 */
import { parseArgs } from "node:util";
import { evaluateModels } from "../models/evaluation/evaluate-models.js";
import { meanOf } from "../models/evaluation/list-metrics.js";
import { userLists } from "../models/evaluation/rank-lists.js";
import { usersToItems } from "../models/evaluation/ranker.js";
import { shareRows } from "../models/evaluation/shared-rows.js";
import { SeededRandom } from "../models/seeded-random.js";
import { readHistories } from "../models/training-set/histories.js";
import type { ItemMatrix, ItemModel } from "../schemas/model.js";
import { Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: { train: { type: "string" }, test: { type: "string" }, dims: { type: "string", default: "64" } },
});
if (flags.train === undefined || flags.test === undefined)
  throw new Error("usage: npm run -s bench -- evaluation --train FILE --test FILE [--dims 64]");
const dims = Number(flags.dims);

const random = new SeededRandom(1);
const matrix = (rows: number): ItemMatrix => ({
  dims,
  values: Float32Array.from({ length: rows * dims }, () => random.next() / 2 ** 31 - 1),
});
const cpuSeconds = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return round((user + system) / 1e6, 1);
};

const [train, test] = [await readHistories(flags.train), await readHistories(flags.test)];
const report = await evaluateModels([], train, test, { neighbourUsers: 0 });
const { testedUsers, items } = report.split;
const results = new Results(
  "evaluation",
  `Offline evaluation of ${testedUsers.toLocaleString("en-US")} users, all ${items.toLocaleString("en-US")} items ranked for each but those of train.`,
  ["ranked by", "recall@20", "ndcg@20", "recall@20 of the tail", "coverage@20", "CPU s", "million products a CPU s"],
);
const [popularity] = report.models;
const figure = (name: string): number => round(popularity!.u2i[name]!, 4);
const spread = round(popularity!.exposure["coverage@20"]!, 4);
results.row("popularity", figure("recall@20"), figure("ndcg@20"), figure("recall@20/tail"), spread, popularity!.cpuSeconds, null);

const model: ItemModel = {
  kind: "random",
  items: train.items,
  input: matrix(train.items.length),
  output: matrix(train.items.length),
  score: "dot",
};
const shared = shareRows(train, test, [model]);
const before = process.cpuUsage();
const { metrics, counts } = await userLists(usersToItems(model, shared), shared, { ks: [20] });
const seconds = cpuSeconds(before);
const mean = (name: string): number => round(meanOf(metrics.values.get(name)!), 4);
const reached = counts.get(20)!.filter((count) => count > 0).length;
results.row(
  `random vectors, ${dims} dimensions`,
  mean("recall@20"),
  mean("ndcg@20"),
  null,
  round(reached / shared.known, 4),
  seconds,
  round((testedUsers * train.items.length * dims) / seconds / 1e6, 0),
);
results.note(`peak memory ${round(process.resourceUsage().maxRSS / 1024, 0)} MiB; one thread, plain TypeScript`);
await results.write();
