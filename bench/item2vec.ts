/**
 * item2vec on a split of real histories: recall as LightGCN counts it, of the head, the middle and the tail apart, with negatives drawn
 * from all items and from strata; and skip-gram pairs a CPU second beside gensim, which gets the same histories and the recipe
 * of an earlier prototype, not tuned further. Settings were chosen on a validation part of train (bench/item2vec-validation.ts).
 *
 *   npm run -s bench -- item2vec DIR_OF_GOWALLA [--no-gensim]
 */
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseNpy } from "../models/model-folder/npy.js";
import { trainItem2vec } from "../models/training/item2vec.js";
import type { Item2vecSettings } from "../models/training/item2vec-settings.js";
import { readHistories } from "../models/training-set/histories.js";
import type { Histories, ItemModel } from "../schemas/model.js";
import { projectRoot, temporaryDirectory } from "../test/harness/kindred-process.js";
import { benchPython } from "./harness/bench-python.js";
import { Results, round } from "./harness/results.js";
import { scoreSplit } from "./harness/split-scorer.js";

const data = process.argv[2];
if (data === undefined) throw new Error("usage: npm run -s bench -- item2vec DIR_OF_GOWALLA [--no-gensim]");
const [train, test] = [await readHistories(join(data, "train.txt.gz")), await readHistories(join(data, "test.txt.gz"))];

const results = new Results(
  "item2vec",
  "item2vec on Gowalla, d = 128: pooled input vectors against output vectors, recall@20 over all users; one thread",
  ["what", "recall@20", "ndcg@20", "of the head", "of the middle", "of the tail", "million pairs", "CPU s", "million pairs a CPU s"],
);

async function row(what: string, model: ItemModel, pairs: number, cpuSeconds: number): Promise<void> {
  const { recall, ndcg, byThird } = await scoreSplit(model, train, test);
  const thirds = byThird.map((share) => round(share, 4));
  const rate = pairs / cpuSeconds / 1e6;
  results.row(what, round(recall, 4), round(ndcg, 4), ...thirds, Math.round(pairs / 1e6), round(cpuSeconds), round(rate, 2));
}

async function ours(what: string, settings: Partial<Item2vecSettings>): Promise<void> {
  const { model, metrics, cpuSeconds } = await trainItem2vec({ histories: train }, { dims: 128, threads: 1, ...settings });
  await row(what, model, metrics.pairs, cpuSeconds);
}

/** Vectors, pairs and CPU seconds of gensim for the same histories. */
async function gensim(histories: Histories, settings: Record<string, number>): Promise<[ItemModel, number, number]> {
  const directory = await temporaryDirectory("gensim");
  try {
    const lines = histories.users.map((_, user) => histories.rows.subarray(histories.starts[user], histories.starts[user + 1]).join(" "));
    const [file, out] = [join(directory.path, "histories"), join(directory.path, "out")];
    await writeFile(file, `${lines.filter((line) => line !== "").join("\n")}\n`);
    const script = join(projectRoot, "bench", "item2vec_gensim.py");
    const given = JSON.stringify({ ...settings, items: histories.items.length });
    const { status, stdout } = spawnSync(benchPython("bench/gensim-requirements.txt"), [script, file, out, given], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
      env: { OPENBLAS_NUM_THREADS: "1" },
    });
    if (status !== 0) throw new Error("gensim failed");
    const { pairs, cpuSeconds } = JSON.parse(stdout) as { pairs: number; cpuSeconds: number };
    const table = async (name: string): Promise<ItemModel["input"]> => parseNpy(await readFile(`${out}.${name}.npy`), name);
    const model: ItemModel = {
      kind: "gensim",
      items: histories.items,
      input: await table("input"),
      output: await table("output"),
      score: "dot",
    };
    return [model, pairs, cpuSeconds];
  } finally {
    await directory.remove();
  }
}

await ours("defaults: exponent .25, a quarter of the negatives constrained", {});
if (!process.argv.includes("--no-gensim")) {
  const recipe = { dims: 128, window: 10, negatives: 10, exponent: 0.5, rate: 0.025, lastRate: 0.0001, epochs: 6, seed: 1, threads: 1 };
  await row("gensim 4.4.0: 10 negatives, exponent .5, window 10, 6 epochs", ...(await gensim(train, recipe)));
}
await ours("exponent .25, none constrained", { constrained: 0 });
await ours("exponent .5, none constrained", { constrained: 0, exponent: 0.5 });
await ours("defaults, 6 epochs", { epochs: 6 });
results.note(
  "Head, middle and tail: thirds of train's interactions, by popularity of the item. Published for Item2Vec on this split: .1326 / .1057.",
);
results.note("A pair is an item with another of its window or block, both ways counted.");
await results.write();
