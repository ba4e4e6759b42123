/**
 * The graph model on splits of real histories, the same defaults for both: recall as LightGCN counts it, of the head, the middle and the
 * tail apart, by dimensions, for pooled users (no parameter of any user); what one thread and all cores cost; what the spectrum alone finds, and
 * what `debias` does. Settings were chosen on validation parts of train (bench/graph-validation.ts).
 *
 *   npm run -s bench -- graph DIR_OF_GOWALLA DIR_OF_AMAZON_CDS
 */
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { trainGraph } from "../models/training/graph.js";
import type { GraphSettings } from "../models/training/graph-settings.js";
import { readHistories } from "../models/training-set/histories.js";
import type { Histories } from "../schemas/model.js";
import { Results, round } from "./harness/results.js";
import { scoreSplit } from "./harness/split-scorer.js";

const [gowalla, cds] = process.argv.slice(2);
if (gowalla === undefined || cds === undefined) throw new Error("usage: npm run -s bench -- graph DIR_OF_GOWALLA DIR_OF_AMAZON_CDS");

const results = new Results("graph", "The graph model: pooled input vectors against output vectors, recall@20 over all users", [
  ...["what", "dimensions", "threads", "recall@20", "ndcg@20", "of the head", "of the middle", "of the tail", "CPU s", "wall s"],
]);

async function row(name: string, train: Histories, test: Histories, settings: Partial<GraphSettings>): Promise<void> {
  const started = performance.now();
  const threads = settings.threads ?? availableParallelism();
  const { model, cpuSeconds } = await trainGraph({ histories: train }, { threads, ...settings });
  const wall = (performance.now() - started) / 1000;
  const { recall, ndcg, byThird } = await scoreSplit(model, train, test);
  const thirds = byThird.map((share) => round(share, 4));
  results.row(name, model.input.dims, threads, round(recall, 4), round(ndcg, 4), ...thirds, round(cpuSeconds), round(wall));
}

const cases: readonly [what: string, settings: Partial<GraphSettings>][] = [
  ["defaults", { dims: 64 }],
  ["defaults", { dims: 128 }],
  ["defaults", { dims: 256 }],
  ["defaults, one thread", { dims: 128, threads: 1 }],
  ["inputs not smoothed, nobody new", { dims: 128, inputSmoothing: 0, inputSmoothingEach: 0, fewShare: 0 }],
  ["the spectrum alone", { dims: 128, epochs: 0, inputSmoothing: 0, inputSmoothingEach: 0 }],
  ["no smoothing", { dims: 128, smoothing: 0, inputSmoothing: 0, inputSmoothingEach: 0 }],
  ["debias -0.1", { dims: 128, debias: -0.1 }],
  ["debias 0.1", { dims: 128, debias: 0.1 }],
  ["debias 0.2", { dims: 128, debias: 0.2 }],
];
for (const [directory, some] of [
  [gowalla, cases.slice(0, 3)],
  [cds, cases.slice(0, 3)],
  [gowalla, cases.slice(3)],
] as const) {
  const [train, test] = [await readHistories(join(directory, "train.txt.gz")), await readHistories(join(directory, "test.txt.gz"))];
  for (const [what, settings] of some) await row(`${basename(directory)}: ${what}`, train, test, settings);
}
results.note(
  "Head, middle and tail: thirds of train's interactions, by popularity of the item. Published for LightGCN, a vector for each user: gowalla .1820 / .1547, amazon-cds .1542 / .0971; for SimpleX on gowalla .1872 / .1557; for UltraGCN on amazon-cds .1622 / .1043.",
);
await results.write();
