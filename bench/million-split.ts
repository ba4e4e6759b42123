/**
 * A made-up split of a million users, 200,000 items and 50 million interactions, from its files to a model: wall and CPU seconds, the largest
 * resident size of the process, and recall@20 of what was held out beside popularity's.
 *
 *   npm run -s bench -- million-split --kind item2vec [--settings '{"epochs":20}'] [--users 1000000] [--items 200000] [--threads 2]
 *
 * Results are kept by kind: bench/results/million-split-KIND.json.
 */
import { parseArgs } from "node:util";
import { settingsOf } from "../models/training/model-kind.js";
import { MODEL_KINDS } from "../models/training/model-kinds.js";
import { popularityOf, readHistories } from "../models/training-set/histories.js";
import type { Histories, ItemModel } from "../schemas/model.js";
import { temporaryDirectory } from "../test/harness/kindred-process.js";
import { writeMadeUpSplit } from "./harness/made-up-million.js";
import { Results, round } from "./harness/results.js";
import { scoreSplit } from "./harness/split-scorer.js";

const { values: flags } = parseArgs({
  options: {
    kind: { type: "string", default: "item2vec" },
    settings: { type: "string", default: "{}" },
    users: { type: "string", default: "1000000" },
    items: { type: "string", default: "200000" },
    threads: { type: "string", default: "2" },
    dims: { type: "string", default: "64" },
  },
});
const kind = MODEL_KINDS.find((one) => one.kind === flags.kind);
if (kind === undefined) throw new Error(`--kind is one of ${MODEL_KINDS.map((one) => one.kind).join(", ")}`);
/** 53.8 million interactions in train. */
const MEAN_ITEMS = 54;
/** Of the 20,000 who are tested: an exact list over all items is some milliseconds. */
const ASKED_EVERY = 4;

/** What is popular, as a model: everybody the same, one number an item. */
function popularity(train: Histories): ItemModel {
  const [counts, dims] = [popularityOf(train), 8];
  const table = (of: (row: number) => number) => ({
    dims,
    values: Float32Array.from({ length: counts.length * dims }, (_, at) => (at % dims === 0 ? of(at / dims) : 0)),
  });
  return { kind: "popularity", items: train.items, input: table(() => 1), output: table((row) => counts[row]!), score: "dot" };
}

const peakMib = (): number => Math.round(process.resourceUsage().maxRSS / 1024);

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const [at, cpu] = [performance.now(), process.cpuUsage()];
  const done = await work();
  const { user, system } = process.cpuUsage(cpu);
  results.row(what, round((performance.now() - at) / 1000), round((user + system) / 1e6), peakMib(), null, null, null);
  return done;
}

const results = new Results(
  `million-split-${kind.kind}`,
  `${kind.kind}, d = ${flags.dims}, on a made-up split of ${Number(flags.users).toLocaleString("en-US")} users and ${Number(flags.items).toLocaleString("en-US")} items, ${flags.threads} threads`,
  ["what", "wall s", "CPU s", "peak MiB so far", "recall@20", "ndcg@20", "recall@20 of the tail"],
);
const directory = await temporaryDirectory("million-split");
try {
  const made = { users: Number(flags.users), items: Number(flags.items), meanItems: MEAN_ITEMS, tastes: 500, seed: 1 };
  const files = await timed("write the files", () => writeMadeUpSplit(directory.path, made));
  const train = await timed("read train", () => readHistories(files.train));
  const given = { dims: Number(flags.dims), threads: Number(flags.threads), ...(JSON.parse(flags.settings) as Record<string, number>) };
  const settings = settingsOf(kind, given);
  const { model, metrics, cpuSeconds } = await timed("train", () => kind.train({ histories: train }, settings));
  const peak = peakMib();
  const test = await readHistories(files.test);
  for (const [what, one] of [
    [kind.kind, model],
    ["popularity", popularity(train)],
  ] as const) {
    const { recall, ndcg, byThird } = await scoreSplit(one, train, test, 20, ASKED_EVERY);
    results.row(`recall of ${what}`, null, null, null, round(recall, 4), round(ndcg, 4), round(byThird[2], 4));
  }
  results.note(
    `${train.rows.length.toLocaleString("en-US")} interactions in train; ${(metrics.pairs / 1e9).toFixed(2)} billion pairs, ${round(metrics.pairs / cpuSeconds / 1e6, 2)} million a CPU s; ${round(peak / 1024, 1)} GiB at the peak when trained; settings that were given: ${flags.settings}.`,
  );
} finally {
  await directory.remove();
}
await results.write();
