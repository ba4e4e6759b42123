/**
 * Vectors that move while they are searched: overwritten in place here, deleted and inserted again in usearch and hnswlib.
 *
 *   npm run -s bench -- updates [--rows 100000] [--rate 20000] [--seconds 2] [--rounds 31]
 */
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { EmbeddedEngine } from "../index/vector-engine/embedded-engine.js";
import { projectRoot, temporaryDirectory } from "../test/harness/kindred-process.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { builtEngine, GRAPH, ROWS_SEED } from "./harness/built-shards.js";
import { LowRankVectors } from "./harness/low-rank-vectors.js";
import { BATCH, DRIFT, Overwriter } from "./harness/overwriter.js";
import { quantile, Results, round } from "./harness/results.js";
import { medianRatio, type SearchPhase, searchSteadily } from "./harness/steady-searches.js";

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "100000" },
    rate: { type: "string", default: "20000" },
    seconds: { type: "string", default: "2" },
    rounds: { type: "string", default: "31" },
  },
});
const [rows, rate, seconds, rounds] = [Number(flags.rows), Number(flags.rate), Number(flags.seconds), Number(flags.rounds)];
const SEARCHES_PER_SECOND = 200;
const K = 50;
const EF = 128;
/** Batches of which the CPU cost of an update is taken. */
const TIMED_BATCHES = 500;

interface Measured {
  readonly how: string;
  readonly cpuUs: number;
  readonly reached: number;
  readonly slowestMs: number;
  readonly recall: number;
  /** By turns. */
  readonly phases: readonly Phases[];
}

interface Phases {
  readonly idle: SearchPhase;
  readonly busy: SearchPhase;
  /** While a thread does as much elsewhere: only here, where one process has both. */
  readonly control?: SearchPhase;
}

/** CPU microseconds of an overwrite with nothing else to do: the vectors are drawn before. */
function cpuOfOverwrites(engine: EmbeddedEngine): number {
  const random = seededRandom(3);
  const batches = Array.from({ length: TIMED_BATCHES }, () => {
    const ordinals = Uint32Array.from({ length: BATCH }, () => random(rows));
    const now = new Float32Array(BATCH * engine.dims);
    ordinals.forEach((ordinal, row) => {
      now.set(engine.vector(ordinal) as Float32Array, row * engine.dims);
    });
    return { ordinals, vectors: new LowRankVectors(4, engine.dims).drifted(now, DRIFT / Math.sqrt(engine.dims)) };
  });
  const before = process.cpuUsage();
  for (const batch of batches) engine.upsert(batch);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / (TIMED_BATCHES * BATCH);
}

async function kindred(queries: Float32Array): Promise<Measured> {
  const engine = await builtEngine({ rows });
  const overwriter = new Overwriter(engine, rows);
  try {
    const cpuUs = cpuOfOverwrites(engine);
    const search = (): Promise<SearchPhase> => searchSteadily(engine, queries, { perSecond: SEARCHES_PER_SECOND, seconds, k: K });
    await search();
    const phases: Phases[] = [];
    let [reached, slowestMs] = [0, 0];
    for (let i = 0; i < rounds; i++) {
      const idle = await search();
      overwriter.start(rate);
      const busy = await search();
      const report = await overwriter.stop();
      reached += report.perSecond / rounds;
      slowestMs = Math.max(slowestMs, report.slowestMs);
      overwriter.start(rate, true);
      const control = await search();
      await overwriter.stop();
      phases.push({ idle, busy, control });
    }
    const recall = (await engine.measureRecall(200, K))?.recall ?? Number.NaN;
    console.log(`fresh entries in the end: ${engine.stats().shards[0]?.fresh}`);
    return { how: "kindred: overwritten in place", cpuUs, reached, slowestMs, recall, phases };
  } finally {
    await overwriter.close();
    await engine.close();
  }
}

/** The same by a peer in Python: rows, what they drift to and queries go over as files of float32. */
async function peer(name: string, directory: string, queries: Float32Array): Promise<Measured> {
  const drawn = new LowRankVectors(ROWS_SEED).rows(rows);
  await writeFile(join(directory, "rows.f32"), drawn);
  await writeFile(join(directory, "queries.f32"), queries);
  await writeFile(join(directory, "others.f32"), new LowRankVectors(18).rows(1000));
  const found = spawnSync(process.execPath, [join(projectRoot, "setup", "python.mjs"), "bench/requirements.txt"], { encoding: "utf8" });
  if (found.status !== 0) throw new Error(found.stderr);
  const settings = { dims: 64, ...GRAPH, ef: EF, k: K, rate, seconds, rounds, batch: BATCH, drift: DRIFT, perSecond: SEARCHES_PER_SECOND };
  const run = spawnSync(
    found.stdout.trim(),
    [join(projectRoot, "bench", "peers", "updates.py"), name, directory, JSON.stringify(settings)],
    {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  if (run.status !== 0) throw new Error(`${name} failed with status ${run.status} ${run.signal ?? ""}`);
  return JSON.parse(run.stdout) as Measured;
}

const results = new Results(
  "updates",
  `${rows} x 64 vectors, ${rate} of them moved a little each second in micro-batches of ${BATCH}, ${SEARCHES_PER_SECOND} searches a second (k = ${K}, ef = ${EF}); idle, busy and control by turns, ${rounds} rounds of ${seconds} s each, medians of the rounds.`,
  [
    "engine",
    "updates/s reached",
    "CPU us an update",
    "p50 ms idle",
    "p50 ms busy",
    "p99 ms idle",
    "p99 ms busy",
    "p99 busy / idle",
    "p99 ms control",
    "p99 busy / control",
    "slowest batch ms",
    "recall@50 after",
    "failed searches",
  ],
);
const median = (values: readonly number[]): number => round(quantile(values, 0.5), 2);
function againstControl(phases: readonly Phases[]): [number | null, number | null] {
  const pairs = phases.flatMap(({ busy, control }) => (control === undefined ? [] : [{ idle: control.p99, busy: busy.p99 }]));
  return pairs.length === 0 ? [null, null] : [median(pairs.map(({ idle }) => idle)), round(medianRatio(pairs), 2)];
}

const directory = await temporaryDirectory("bench-updates");
try {
  const queries = new LowRankVectors(2).rows(1000);
  for (const engine of ["kindred", "usearch", "hnswlib"]) {
    const { how, cpuUs, reached, slowestMs, recall, phases } =
      engine === "kindred" ? await kindred(queries) : await peer(engine, directory.path, queries);
    results.row(
      how,
      round(reached, 0),
      round(cpuUs, 2),
      median(phases.map(({ idle }) => idle.p50)),
      median(phases.map(({ busy }) => busy.p50)),
      median(phases.map(({ idle }) => idle.p99)),
      median(phases.map(({ busy }) => busy.p99)),
      round(medianRatio(phases.map(({ idle, busy }) => ({ idle: idle.p99, busy: busy.p99 }))), 2),
      ...againstControl(phases),
      round(slowestMs),
      round(recall, 4),
      phases.reduce((sum, { idle, busy }) => sum + idle.failed + busy.failed, 0),
    );
    console.log(
      phases.map(({ idle, busy, control }) => `${round(idle.p99, 2)} -> ${round(busy.p99, 2)} (${round(control?.p99 ?? 0, 2)})`).join(", "),
    );
  }
  results.note(
    "Control: a thread with as much to do on memory of its own, in place of the overwrites. What searches lose then is the scheduler's doing.",
  );
  results.note("A peer's searches wait while its own update call runs where its manual asks for that (hnswlib: one update at a time).");
  results.note("The peers' searches and updates come from two Python threads; their CPU is that of the update calls alone.");
  await results.write();
} finally {
  await directory.remove();
}
