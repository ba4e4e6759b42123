/**
 * Live recall throughout a stream: real histories go through the pipeline into the engine from the first event to the last, with
 * publisher and tuner at their defaults, and 50 times the answers to 200 users are held against exact scans of the same moment.
 *
 *   npm run -s bench -- live-recall [--split FILE] [--retail FILE] [--events-per-second 3000] [--measure-rows 1000000]
 *
 * `--split`: `user item item ...` a line (.gz); its users' own order is lost, a seeded shuffle over all stands for it. `--retail`:
 * purchases with times, in that order. `--measure-rows`: also what one measurement costs among so many rows.
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { parse } from "csv-parse/sync";
import { publisherSettings } from "../index/shards/publisher-settings.js";
import { EmbeddedEngine } from "../index/vector-engine/embedded-engine.js";
import { defaultConfig } from "../schemas/config-validation.js";
import type { BehaviourEvent } from "../schemas/event.js";
import type { EpochMs, Generation, ItemId, UserId } from "../schemas/ids.js";
import { liveRecallStream, type StreamReport } from "../test/harness/live-recall-stream.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: {
    split: { type: "string" },
    retail: { type: "string" },
    "events-per-second": { type: "string", default: "3000" },
    "measure-rows": { type: "string" },
  },
});
const { index } = defaultConfig();
const DIMS = 128;
const CHECKPOINTS = 50;
const eventsPerSecond = Number(flags["events-per-second"]);

const unzipped = async (path: string): Promise<string> => gunzipSync(await readFile(path)).toString("utf8");
const play = (user: string, item: string, ts: number): BehaviourEvent => ({
  user: user as UserId,
  item: item as ItemId,
  action: "play",
  ts: ts as EpochMs,
});

/** All pairs in one seeded shuffle, three seconds of event time apart: four weeks. */
async function splitEvents(path: string): Promise<BehaviourEvent[]> {
  const random = seededRandom(11);
  const pairs = (await unzipped(path))
    .trim()
    .split("\n")
    .flatMap((line) => {
      const [user, ...items] = line.trim().split(" ");
      return items.map((item) => [user as string, item] as const);
    });
  for (let i = pairs.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [pairs[i], pairs[j]] = [pairs[j] as (typeof pairs)[0], pairs[i] as (typeof pairs)[0]];
  }
  return pairs.map(([user, item], i) => play(user, item, Date.UTC(2026, 0, 1) + i * 3000));
}

async function retailEvents(path: string): Promise<BehaviourEvent[]> {
  const rows = parse(await unzipped(path), { columns: true }) as { CustomerID: string; StockCode: string; t: string }[];
  return rows.map(({ CustomerID, StockCode, t }) => play(CustomerID, StockCode, Number(t) * 1000)).sort((a, b) => a.ts - b.ts);
}

const results = new Results(
  "live-recall",
  `Real histories stream through pipeline, publisher and tuner at their defaults, ${eventsPerSecond} events a second; ${CHECKPOINTS} times recall@50 of 200 users against exact scans.`,
  [
    "stream",
    "events",
    "users",
    "least recall",
    "mean recall",
    "checkpoints answered by a graph",
    "least recall of these",
    "ef, from-to",
    "rebuilds",
    "CPU s",
    "of it measuring",
  ],
);

function tell(name: string, events: number, report: StreamReport): void {
  const { checkpoints, swaps, tuned } = report;
  const least = (of: typeof checkpoints): number | null => (of.length === 0 ? null : round(Math.min(...of.map(({ recall }) => recall)), 4));
  const walked = checkpoints.filter((checkpoint) => checkpoint.walked);
  const efs = checkpoints.map(({ ef }) => ef);
  results.row(
    name,
    events,
    checkpoints.at(-1)?.rows ?? 0,
    least(checkpoints),
    round(checkpoints.reduce((sum, { recall }) => sum + recall, 0) / checkpoints.length, 4),
    `${walked.length} of ${checkpoints.length}`,
    least(walked),
    `${Math.min(...efs)}-${Math.max(...efs)}`,
    swaps.map(({ reason }) => reason).join(", "),
    round(report.cpuSeconds),
    round(report.measureCpuSeconds, 2),
  );
  const moves = tuned.map(({ share, from, to, recall }) => `at ${round(100 * share)} % ${from} → ${to} (measured ${round(recall, 3)})`);
  results.note(
    `${name}: graphs at ef ${swaps.map(({ ef, recall }) => `${ef} (${round(recall, 3)})`).join(", ") || "none"}; ef moved ${moves.join(", ") || "never"}`,
  );
  results.note(
    `${name}: recall, ef and way (w walk, s scan) at the checkpoints: ${checkpoints.map(({ recall, ef, walked: walk }) => `${round(recall, 3)} ${ef}${walk ? "w" : "s"}`).join(", ")}`,
  );
}

async function stream(
  name: string,
  events: readonly BehaviourEvent[],
  more: { minRows?: number; scanRowsPerEf?: number } = {},
): Promise<void> {
  const publisher = publisherSettings(index);
  const { minRows, scanRowsPerEf } = more;
  const report = await liveRecallStream({
    ...{ events, dims: DIMS, index, eventsPerSecond, checkpoints: CHECKPOINTS, usersAsked: 200, random: seededRandom(7) },
    publisher: { ...publisher, limits: { ...publisher.limits, ...(minRows !== undefined && { minRows }) } },
    ...(scanRowsPerEf !== undefined && { scanRowsPerEf }),
    onCheckpoint: ({ share, rows, recall, ef, swaps, walked }) =>
      process.stderr.write(
        `${round(100 * share)} %: ${rows} rows, recall ${round(recall, 4)}, ef ${ef}, ${swaps} swaps${walked ? "" : ", scanned"}\n`,
      ),
  });
  tell(name, events.length, report);
}

/** Of random vectors under the thinnest of graphs: nearly all of a measurement is the exact scan. */
async function measureCost(rows: number): Promise<void> {
  const random = seededRandom(3);
  const engine = EmbeddedEngine.create({ dims: DIMS, metric: "cosine", generation: 0 as Generation, scanRowsPerEf: 0 });
  for (let first = 0; first < rows; first += 10_000) {
    const count = Math.min(10_000, rows - first);
    const vectors = Float32Array.from({ length: count * DIMS }, () => random(2001) - 1000);
    engine.upsert({ ordinals: Uint32Array.from({ length: count }, (_, i) => first + i), vectors });
  }
  await (await (await engine.stage(0, { m: 4, efConstruction: 8 })).verify({ samples: 1 })).publish(0);
  const measured = await engine.measureRecall(64, 50);
  await engine.close();
  const cpuSeconds = measured?.cpuSeconds ?? Number.NaN;
  results.note(
    `one measurement of 64 queries among ${rows} rows of ${DIMS}: ${round(cpuSeconds, 2)} CPU seconds, ${round((100 * cpuSeconds) / 30, 1)} % of one core every 30 s; it never takes more than 3 % and comes less often instead`,
  );
}

if (flags.split !== undefined) {
  const events = await splitEvents(flags.split);
  await stream("gowalla, shuffled", events);
}
if (flags.retail !== undefined) {
  const events = await retailEvents(flags.retail);
  await stream("online-retail, in time order", events);
  await stream("online-retail, graphs from 1,000 rows on, walked however few rows there are", events, { minRows: 1000, scanRowsPerEf: 0 });
}
if (flags["measure-rows"] !== undefined) await measureCost(Number(flags["measure-rows"]));
await results.write();
