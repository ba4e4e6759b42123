/**
 * A shard of a million vectors rebuilt and swapped while it is searched and overwritten: latency idle and meanwhile, and memory.
 *
 *   npm run -s bench -- swap-million [--rows 1000000] [--rate 5000] [--idle 20]
 */
import { parseArgs } from "node:util";
import type { EmbeddedEngine } from "../index/vector-engine/embedded-engine.js";
import { builtEngine, filledEngine, rebuild } from "./harness/built-shards.js";
import { burnAtLowPriority } from "./harness/low-priority-burner.js";
import { LowRankVectors } from "./harness/low-rank-vectors.js";
import { Overwriter } from "./harness/overwriter.js";
import { peakMemory } from "./harness/peak-memory.js";
import { quantile, Results, round } from "./harness/results.js";
import { type SearchPhase, searchSteadily } from "./harness/steady-searches.js";
import { ThreadTimer } from "./harness/thread-times.js";

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "1000000" },
    rate: { type: "string", default: "5000" },
    idle: { type: "string", default: "20" },
  },
});
const [rows, rate, idleSeconds] = [Number(flags.rows), Number(flags.rate), Number(flags.idle)];
/** Quantiles are taken in windows of so many seconds, and the windows' median is what counts: one hiccup of the machine is in one. */
const WINDOW = 5;
const SEARCHES_PER_SECOND = 100;
const SHARDS = 4;

const queries = new LowRankVectors(2).rows(1000);
const window = (engine: EmbeddedEngine): Promise<SearchPhase> =>
  searchSteadily(engine, queries, { perSecond: SEARCHES_PER_SECOND, seconds: WINDOW });
/** Searches that one after the other window makes, with what they cost apart from the builder's thread. */
class Windows {
  readonly phases: SearchPhase[] = [];
  readonly #timer = new ThreadTimer();
  #times = { cpuUs: 0, waitedUs: 0 };

  async more(engine: EmbeddedEngine): Promise<void> {
    this.phases.push(await window(engine));
    this.#times = this.#timer.read();
  }

  get searches(): number {
    return this.phases.reduce((sum, { searches }) => sum + searches, 0);
  }

  get failed(): number {
    return this.phases.reduce((sum, { failed }) => sum + failed, 0);
  }

  get cpuUs(): number {
    return this.#times.cpuUs / this.searches;
  }

  get waitedUs(): number {
    return this.#times.waitedUs / this.searches;
  }
}

const middle = (phases: readonly SearchPhase[], what: "p50" | "p99"): number =>
  quantile(
    phases.map((phase) => phase[what]),
    0.5,
  );

async function idle(engine: EmbeddedEngine): Promise<Windows> {
  const windows = new Windows();
  for (let at = 0; at < idleSeconds; at += WINDOW) await windows.more(engine);
  return windows;
}

const results = new Results(
  "swap-million",
  `${rows} x 64 vectors under ${SEARCHES_PER_SECOND} searches and ${rate} overwrites a second (k = 50, ef = 128): a shard's next graph is built (M 16, efConstruction 80), verified and swapped. Medians of windows of ${WINDOW} s; idle is before and after, with the same searches and overwrites.`,
  [
    "shards",
    "rows of the shard",
    "build to swap s",
    "CPU s of the process",
    "p50 ms idle",
    "p50 ms meanwhile",
    "p99 ms idle",
    "p99 ms meanwhile",
    "p99 meanwhile / idle",
    "p99 ms control",
    "p99 meanwhile / control",
    "CPU us a search idle",
    "CPU us a search meanwhile",
    "us a search waiting for a core idle",
    "us waiting meanwhile",
    "failed searches",
    "slowest overwrite batch ms idle",
    "slowest meanwhile",
    "MiB before",
    "MiB at most",
    "recall@50",
  ],
);

/** One rebuild of shard 0 under load, between two idle times. */
async function swapUnderLoad(engine: EmbeddedEngine): Promise<void> {
  const overwriter = new Overwriter(engine, rows);
  try {
    overwriter.start(rate);
    await window(engine);
    const before = await idle(engine);
    const quiet = await overwriter.stop();
    overwriter.start(rate);
    const meanwhile = new Windows();
    let building = true;
    const { result: built, ...memory } = await peakMemory(async () => {
      const swapped = rebuild(engine, 0).finally(() => {
        building = false;
      });
      while (building) await meanwhile.more(engine);
      return swapped;
    });
    const busy = await overwriter.stop();
    overwriter.start(rate);
    const control = await burnAtLowPriority(() => idle(engine));
    const later = await idle(engine);
    const after = await overwriter.stop();
    const still = [...before.phases, ...later.phases];
    results.row(
      engine.shards,
      engine.stats().shards[0]?.rows ?? null,
      round(built.seconds),
      round(built.cpuSeconds),
      round(middle(still, "p50"), 2),
      round(middle(meanwhile.phases, "p50"), 2),
      round(middle(still, "p99"), 2),
      round(middle(meanwhile.phases, "p99"), 2),
      round(middle(meanwhile.phases, "p99") / middle(still, "p99"), 2),
      round(middle(control.phases, "p99"), 2),
      round(middle(meanwhile.phases, "p99") / middle(control.phases, "p99"), 2),
      round((before.cpuUs + later.cpuUs) / 2, 0),
      round(meanwhile.cpuUs, 0),
      round((before.waitedUs + later.waitedUs) / 2, 0),
      round(meanwhile.waitedUs, 0),
      before.failed + meanwhile.failed + control.failed + later.failed,
      round(Math.max(quiet.slowestMs, after.slowestMs)),
      round(busy.slowestMs),
      round(memory.before, 0),
      round(memory.peak, 0),
      round(built.recall, 4),
    );
    console.log(
      `p99 by window, idle: ${still.map(({ p99 }) => round(p99)).join(" ")}; meanwhile: ${meanwhile.phases.map(({ p99 }) => round(p99)).join(" ")}`,
    );
  } finally {
    await overwriter.close();
  }
}

const whole = await builtEngine({ rows });
try {
  await swapUnderLoad(whole);
  const { table, graph, writer } = whole.stats().memoryBytes;
  results.note(
    `after it, by its own count: table ${round(table / 2 ** 20, 0)} MiB, graph ${round(graph / 2 ** 20, 0)}, writer ${round(writer / 2 ** 20, 0)}`,
  );
} finally {
  await whole.close();
}
const parts = filledEngine({ rows, shards: SHARDS });
try {
  for (let shard = 0; shard < SHARDS; shard++) {
    const { before, peak } = await peakMemory(() => rebuild(parts, shard));
    results.note(
      `first graph of shard ${shard} of ${SHARDS}, nothing else going on: ${round(before, 0)} MiB before, ${round(peak, 0)} at most`,
    );
  }
  await swapUnderLoad(parts);
} finally {
  await parts.close();
}
results.note(
  "Control: a thread that burns a core at the builder's priority and touches nothing, in place of the build. What searches lose then is the scheduler's doing.",
);
results.note(
  "CPU and waiting are of all threads but the builder's, by search; overwrites are in it. Waiting for a core is what other processes and the builder cost.",
);
await results.write();
