/**
 * What u2i and i2i by vectors cost beside u2u: 100,000 users and 100,000 items, k = 50, each with the narrowest walk that finds .95 of
 * the true 50 best, in one run. Real check-ins, blown up to that size (bench/items/svd_vectors.py says how), vectors of a truncated SVD.
 *
 *   npm run -s bench -- items --train FILE [--dims 64,128,256] [--rows 100000]     (a split file: `user item item ...` a line, .gz)
 */
import { parseArgs } from "node:util";
import { EmbeddedEngine } from "../index/vector-engine/embedded-engine.js";
import type { Generation } from "../schemas/ids.js";
import type { Metric } from "../schemas/ports/read-model.js";
import { quantile, Results, round } from "./harness/results.js";
import { K, type Measured, measured, narrowest, sampled, worstOfBest } from "./items/measured-searches.js";
import { trainedTables } from "./items/tables.js";

const { values: flags } = parseArgs({
  options: { train: { type: "string" }, dims: { type: "string", default: "64,128,256" }, rows: { type: "string", default: "100000" } },
});
if (flags.train === undefined) throw new Error("usage: npm run -s bench -- items --train FILE [--dims 64,128,256] [--rows 100000]");
const rows = Number(flags.rows);
const tables = trainedTables(flags.train, { users: rows, items: rows });
const BUILD = { m: 16, efConstruction: 80 };
const TARGET = 0.95;
const QUERIES = 500;
const ROUNDS = 5;

const results = new Results(
  "items",
  `u2i and i2i by vectors beside u2u: ${tables.users.toLocaleString("en-US")} users, ${tables.items.toLocaleString("en-US")} items, k = ${K}, the narrowest walk with recall@${K} >= ${TARGET}; M ${BUILD.m}, efConstruction ${BUILD.efConstruction}.`,
  ["dims", "search", "ef", "recall@50", "CPU us a query", "times u2u", "exact scan, CPU us", "build, CPU s"],
);

interface Side {
  readonly name: string;
  readonly engine: EmbeddedEngine;
  readonly queries: Float32Array;
  readonly worst: Float32Array;
  readonly chosen: Measured;
  readonly scanUs: number;
  readonly buildSeconds: number;
}

const cpuSeconds = (since?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
};

/** An engine over `stored` with a graph, and the narrowest walk that is good enough for `queries`. */
async function side(name: string, metric: Metric, dims: number, stored: Float32Array, queries: Float32Array): Promise<Side> {
  const engine = EmbeddedEngine.create({ dims, metric, generation: 0 as Generation, scanRowsPerEf: 0 });
  engine.upsert({ ordinals: Uint32Array.from({ length: stored.length / dims }, (_, i) => i), vectors: stored });
  const before = process.cpuUsage();
  const staged = await engine.stage(0, BUILD);
  const buildSeconds = cpuSeconds(before);
  await (await staged.verify({ samples: 16 })).publish(0);
  const scanning = process.cpuUsage();
  const worst = await worstOfBest(engine, queries);
  const scanUs = (cpuSeconds(scanning) * 1e6) / worst.length;
  return { name, engine, queries, worst, chosen: await narrowest(engine, queries, worst, TARGET), scanUs, buildSeconds };
}

for (const dims of flags.dims.split(",").map(Number)) {
  const [users, inputs, outputs] = [tables.of("users", dims), tables.of("inputs", dims), tables.of("outputs", dims)];
  const asking = sampled(users, dims, QUERIES);
  const sides = [
    await side("u2u, cosine", "cosine", dims, users, asking),
    await side("u2i, output inner product", "inner-product", dims, outputs, asking),
    await side("i2i, input cosine", "cosine", dims, inputs, sampled(inputs, dims, QUERIES)),
  ];
  // Turn by turn, so that what else the machine does falls on all of them.
  const costs = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
  for (let turn = 0; turn < ROUNDS; turn++)
    for (const { name, engine, queries, worst, chosen } of sides)
      costs.get(name)?.push((await measured(engine, queries, worst, chosen.ef)).cpuUs);
  const usOf = ({ name }: Side): number => quantile(costs.get(name) ?? [], 0.5);
  for (const one of sides) {
    const { name, chosen, scanUs, buildSeconds } = one;
    const times = round(usOf(one) / usOf(sides[0]!), 2);
    results.row(dims, name, chosen.ef, round(chosen.recall, 4), round(usOf(one), 0), times, round(scanUs, 0), round(buildSeconds));
  }
  for (const { engine } of sides) await engine.close();
}
results.note(`${QUERIES} queries each, pooled users for u2u and u2i; the median of ${ROUNDS} turns`);
await results.write();
