/**
 * Which graph finds items by inner product? Output vectors differ in length: the popular are long and are near everything. Links
 * chosen by products of rows scaled to |x|^(1 - p) (p = 0: plain inner product, as ip-NSW; p = .85: what the engine does; p = 1: by
 * angle), the Euclidean reduction of Bachrach et al. (RecSys 2014): one more dimension that makes all rows as long, by cosine; and the
 * longest rows scanned first as far as a shorter one could still enter (LEMP, SIGMOD 2015), the graph walked only where one could.
 * Real visits, a truncated SVD's output vectors, pooled real users as queries.
 *
 *   npm run -s bench -- item-graphs --train FILE [--dims 64,128,256] [--m 16] [--ef-construction 80]     (a split file: `user item item ...` a line, .gz)
 */
import { parseArgs } from "node:util";
import { openShards, saveShards } from "../index/shards/shard-files.js";
import { EmbeddedEngine } from "../index/vector-engine/embedded-engine.js";
import type { Generation } from "../schemas/ids.js";
import type { Metric } from "../schemas/ports/read-model.js";
import { temporaryDirectory } from "../test/harness/kindred-process.js";
import { Results, round } from "./harness/results.js";
import { measured, sampled, worstOfBest } from "./items/measured-searches.js";
import { trainedTables } from "./items/tables.js";

const { values: flags } = parseArgs({
  options: {
    train: { type: "string" },
    dims: { type: "string", default: "64,128,256" },
    m: { type: "string", default: "16" },
    "ef-construction": { type: "string", default: "80" },
  },
});
if (flags.train === undefined) throw new Error("usage: npm run -s bench -- item-graphs --train FILE [--dims 64,128,256]");
const tables = trainedTables(flags.train);
const BUILD = { m: Number(flags.m), efConstruction: Number(flags["ef-construction"]) };
const QUERIES = 500;
/** What the engine scales rows by before it chooses links: the constant of native/src/vector_index_build.cc. */
const OWN_POWER = 0.85;
/** Of the longest rows that are scanned before the walk. */
const SHARES = [1 / 128, 1 / 64, 1 / 32, 1 / 16];

const results = new Results(
  "item-graphs",
  `Recall@50 of graphs over ${tables.items.toLocaleString("en-US")} items by inner product (real check-ins, SVD output vectors), ${QUERIES} pooled real users; M ${BUILD.m}, efConstruction ${BUILD.efConstruction}.`,
  ["dims", "how", "recall, ef 64", "ef 128", "ef 256", "CPU us a query, ef 128", "recall as verified (items as queries)"],
);

const lengthOf = (row: Float32Array): number => Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
const upTo = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => i);

/**
 * A graph over `built`, searched with `rows`: the live table's vectors are replaced after the build. The engine scales rows itself,
 * so those of another power are given to the build in advance with the rest of it.
 */
async function measure(
  name: string,
  metric: Metric,
  dims: number,
  built: Float32Array,
  rows: Float32Array,
  queries: Float32Array,
  shares: readonly number[] = [],
): Promise<void> {
  const engine = EmbeddedEngine.create({ dims, metric, generation: 0 as Generation, driftCosine: 0, scanRowsPerEf: 0, longestShare: 0 });
  try {
    const ordinals = upTo(rows.length / dims);
    engine.upsert({ ordinals, vectors: built });
    const staged = await engine.stage(0, BUILD);
    engine.upsert({ ordinals, vectors: rows });
    const verified = await staged.verify({ samples: 200 });
    await verified.publish(0);
    const { fresh = 0 } = engine.stats().shards[0] ?? {};
    if (fresh > 0) throw new Error(`${fresh} rows would be scanned beside the graph`);
    const worst = await worstOfBest(engine, queries);
    const tell = async (how: string, searched: EmbeddedEngine, asVerified: number | null): Promise<void> => {
      const walks = [];
      for (const ef of [64, 128, 256]) walks.push(await measured(searched, queries, worst, ef));
      const recalls = walks.map(({ recall }) => round(recall, 4));
      results.row(dims - (metric === "cosine" ? 1 : 0), how, ...recalls, round(walks[1]!.cpuUs, 0), asVerified);
    };
    await tell(name, engine, round(verified.recall, 4));
    for (const longestShare of shares)
      await reopened(engine, longestShare, (same) => tell(`the longest 1/${1 / longestShare} first, then ${name}`, same, null));
  } finally {
    await engine.close();
  }
}

/** The same graph with another share of the longest rows: saved and opened again. */
async function reopened(engine: EmbeddedEngine, longestShare: number, work: (same: EmbeddedEngine) => Promise<void>): Promise<void> {
  const directory = await temporaryDirectory("item-graphs");
  try {
    await saveShards(engine, directory.path, { positions: new Map(), idsOf: (ordinals) => Array.from(ordinals, String) });
    const ordinalsOf = (ids: readonly string[]): Uint32Array => Uint32Array.from(ids, Number);
    const { engine: same } = await openShards(directory.path, { ordinalsOf, scanRowsPerEf: 0, longestShare });
    await work(same).finally(() => same.close());
  } finally {
    await directory.remove();
  }
}

/**
 * Every row by |x|^power, all together by one factor so that none gets shorter (a row that shrinks would count as moved). Rows below
 * a hundredth of the longest, which nobody finds, count as that long: their powers would leave what a float holds.
 */
function scaledBy(rows: Float32Array, dims: number, power: number): Float32Array {
  const lengths: number[] = [];
  for (let at = 0; at < rows.length; at += dims) lengths.push(lengthOf(rows.subarray(at, at + dims)));
  const floor = lengths.reduce((a, b) => Math.max(a, b), 0) / 100;
  const factors = lengths.map((length) => Math.max(length, floor) ** power);
  const least = factors.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  return rows.map((x, i) => (x * factors[Math.floor(i / dims)]!) / least);
}

/** One more dimension: sqrt(longest^2 - |x|^2) of a row, 0 of a query. */
function widened(rows: Float32Array, dims: number, extra: (row: Float32Array) => number): Float32Array {
  const wide = new Float32Array((rows.length / dims) * (dims + 1));
  for (let i = 0; i < rows.length / dims; i++) {
    const row = rows.subarray(i * dims, (i + 1) * dims);
    wide.set(row, i * (dims + 1));
    wide[i * (dims + 1) + dims] = extra(row);
  }
  return wide;
}

for (const dims of flags.dims.split(",").map(Number)) {
  const outputs = tables.of("outputs", dims);
  const queries = sampled(tables.of("users", dims), dims, QUERIES);
  const lengths = Array.from({ length: tables.items }, (_, i) => lengthOf(outputs.subarray(i * dims, (i + 1) * dims)));
  const sorted = [...lengths].sort((a, b) => a - b);
  const longest = sorted.at(-1)!;
  for (const power of [0, 0.5, OWN_POWER, 1]) {
    const name = power === OWN_POWER ? `graph, p ${power} (the engine's own)` : `graph, p ${power}`;
    const shares = power === OWN_POWER ? SHARES : [];
    await measure(name, "inner-product", dims, scaledBy(outputs, dims, (1 - power) / (1 - OWN_POWER) - 1), outputs, queries, shares);
  }
  const wide = widened(outputs, dims, (row) => Math.sqrt(Math.max(0, longest ** 2 - lengthOf(row) ** 2)));
  await measure(
    "graph, Euclidean reduction, d + 1",
    "cosine",
    dims + 1,
    wide,
    wide,
    widened(queries, dims, () => 0),
  );
  const [tenth, half, last] = [0.1, 0.5, 0.99].map((q) => sorted[Math.floor(q * sorted.length)]!);
  results.note(
    `d = ${dims}: lengths of output vectors, 10th / 50th / 99th percentile / longest as shares of the median: ${[tenth, half, last, longest].map((x) => round(x! / half!, 2)).join(" / ")}`,
  );
}
await results.write();
