import type { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import { seededRandom } from "../../test/harness/seeded-random.js";

export interface Measured {
  readonly ef: number;
  /** Of the 50 best by an exact scan, ties with the last as good as found. */
  readonly recall: number;
  /** CPU microseconds a query, all threads. */
  readonly cpuUs: number;
}

export const K = 50;

/** Rows at random places, the same for the same seed. */
export function sampled(rows: Float32Array, dims: number, count: number, seed = 3): Float32Array {
  const random = seededRandom(seed);
  const queries = new Float32Array(count * dims);
  for (let i = 0; i < count; i++) {
    const row = random(rows.length / dims);
    queries.set(rows.subarray(row * dims, (row + 1) * dims), i * dims);
  }
  return queries;
}

/** The K-th best score of each query by an exact scan. */
export async function worstOfBest(engine: EmbeddedEngine, queries: Float32Array): Promise<Float32Array> {
  const { dims } = engine;
  const worst = new Float32Array(queries.length / dims);
  for (let i = 0; i < worst.length; i++)
    worst[i] = (await engine.searchExact(queries.subarray(i * dims, (i + 1) * dims), { k: K })).scores.at(-1) ?? Number.NaN;
  return worst;
}

/** Recall and cost of the walk at one breadth. */
export async function measured(engine: EmbeddedEngine, queries: Float32Array, worst: Float32Array, ef: number): Promise<Measured> {
  const before = process.cpuUsage();
  const answers = await engine.searchMany(queries, { k: K, ef });
  const { user, system } = process.cpuUsage(before);
  let found = 0;
  answers.forEach(({ scores }, i) => {
    const bound = worst[i]! - 1e-5 * Math.abs(worst[i]!);
    for (const score of scores) if (score >= bound) found++;
  });
  return { ef, recall: found / (K * answers.length), cpuUs: (user + system) / answers.length };
}

/** The narrowest of some breadths with which recall is at least `target`; the widest where none is enough. */
export async function narrowest(engine: EmbeddedEngine, queries: Float32Array, worst: Float32Array, target: number): Promise<Measured> {
  let last: Measured | undefined;
  for (const ef of [50, 64, 80, 96, 128, 160, 192, 256, 320, 400, 512]) {
    last = await measured(engine, queries, worst, ef);
    if (last.recall >= target) break;
  }
  return last!;
}
