/**
 * Searches that may only find some: recall and CPU by the share that is allowed, at random or all of one corner, and what an
 * exact scan of the list costs in its place.
 *
 *   npm run -s bench -- filters [--rows 100000,1000000] [--queries 100]
 */
import { parseArgs } from "node:util";
import type { EmbeddedEngine } from "../index/vector-engine/embedded-engine.js";
import { MAX_EF } from "../index/vector-engine/search-arguments.js";
import type { SearchOptions, SearchResult } from "../schemas/ports/read-model.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { builtEngine } from "./harness/built-shards.js";
import { LowRankVectors } from "./harness/low-rank-vectors.js";
import { quantile, Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: { rows: { type: "string", default: "100000,1000000" }, queries: { type: "string", default: "100" } },
});
const count = Number(flags.queries);
const SHARES = [0.5, 0.2, 0.1, 0.05, 0.01, 0.001];
const K = 50;
const DIMS = 64;

/** Of the vectors as they are stored. */
function productsWith(engine: EmbeddedEngine, rows: number, direction: Float32Array): Float64Array {
  return Float64Array.from({ length: rows }, (_, ordinal) => {
    const vector = engine.vector(ordinal) as Float32Array;
    return vector.reduce((sum, x, d) => sum + x * (direction[d] as number), 0);
  });
}

function atRandom(rows: number, share: number): Uint32Array {
  const random = seededRandom(31);
  return Uint32Array.from({ length: rows }, (_, i) => i).filter(() => random(2 ** 24) < share * 2 ** 24);
}

/** Those nearest to one direction: most queries come from elsewhere, and a walk has a long way to the first of them. */
function ofOneCorner(products: Float64Array, share: number): Uint32Array {
  const least = products.slice().sort()[Math.floor(products.length * (1 - share))] as number;
  return Uint32Array.from({ length: products.length }, (_, i) => i).filter((ordinal) => (products[ordinal] as number) >= least);
}

const results = new Results(
  "filters",
  `Searches with an allow-list over 64 dimensions, k = ${K}, default ef; ${count} queries. Recall@50 against an exact scan under the same list.`,
  ["rows", "allowed", "share %", "which", "recall@50", "CPU us", "p99 ms", "CPU us of scanning the list"],
);

async function ask(
  engine: EmbeddedEngine,
  queries: Float32Array,
  options: SearchOptions,
): Promise<{ answers: SearchResult[]; cpuUs: number; p99: number }> {
  const answers: SearchResult[] = [];
  const took: number[] = [];
  const cpu = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    answers.push(await engine.search(queries.subarray(i * DIMS, (i + 1) * DIMS), options));
    took.push(performance.now() - began);
  }
  const { user, system } = process.cpuUsage(cpu);
  return { answers, cpuUs: (user + system) / count, p99: quantile(took, 0.99) };
}

async function measure(engine: EmbeddedEngine, rows: number, which: string, share: number, allow: Uint32Array | undefined): Promise<void> {
  const queries = new LowRankVectors(2, DIMS).rows(count);
  const only = allow && { allow };
  const { answers, cpuUs, p99 } = await ask(engine, queries, { k: K, ...only });
  let recall = 0;
  for (let i = 0; i < count; i++) {
    const exact = await engine.searchExact(queries.subarray(i * DIMS, (i + 1) * DIMS), { k: K, ...only });
    const last = (exact.scores.at(-1) as number) - 1e-6;
    recall += (answers[i] as SearchResult).scores.filter((score) => score >= last).length / exact.scores.length;
  }
  // So wide a walk that the list is scanned whatever its length.
  const scanned = only && (await ask(engine, queries, { k: K, ef: MAX_EF, ...only })).cpuUs;
  const figures = [round(recall / count, 4), round(cpuUs, 0), round(p99, 2), scanned === undefined ? null : round(scanned, 0)];
  results.row(rows, allow?.length ?? rows, round(share * 100), which, ...figures);
}

for (const rows of flags.rows.split(",").map(Number)) {
  const engine = await builtEngine({ rows, dims: DIMS });
  await measure(engine, rows, "all", 1, undefined);
  const products = productsWith(engine, rows, engine.vector(0) as Float32Array);
  for (const share of SHARES) {
    await measure(engine, rows, "at random", share, atRandom(rows, share));
    await measure(engine, rows, "one corner", share, ofOneCorner(products, share));
  }
  await engine.close();
}
await results.write();
