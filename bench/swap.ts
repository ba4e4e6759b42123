/**
 * Swaps in the running server under HTTP load, on real rows: histories are replayed, a part of them again as live events in
 * another order, while four connections ask without a pause. Answers are held against an exact scan of the vectors that the API tells.
 *
 *   npm run -s bench -- swap --split FILE [--seconds 30]     (a split file: `user item item ...` a line, .gz)
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { KindredServer, kindredJson, temporaryDirectory } from "../test/harness/kindred-process.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { swapUnderLoad } from "../test/harness/swap-under-load.js";
import { Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({ options: { split: { type: "string" }, seconds: { type: "string", default: "30" } } });
if (flags.split === undefined) throw new Error("usage: npm run -s bench -- swap --split FILE");
const histories = gunzipSync(await readFile(flags.split))
  .toString("utf8")
  .trim()
  .split("\n")
  .map((line) => line.trim().split(" "));

const random = seededRandom(5);
const directory = await temporaryDirectory("bench-swap");
const results = new Results(
  "swap",
  "Graphs swapped in the running server under HTTP load, real histories: three quarters replayed, the rest live.",
  ["rows", "requests", "failed or mixed", "swaps meanwhile", "recall@50 against an exact scan", "p99 ms"],
);
try {
  // The order within a history is lost in split files: a seeded shuffle stands for it.
  const pairs = histories.flatMap(([user, ...items]) => items.map((item) => [user as string, item] as const));
  for (let i = pairs.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [pairs[i], pairs[j]] = [pairs[j] as (typeof pairs)[0], pairs[i] as (typeof pairs)[0]];
  }
  const live = pairs.splice(Math.floor(pairs.length * 0.75));
  const file = join(directory.path, "history.csv");
  await writeFile(file, `user,item\n${pairs.map(([user, item]) => `${user},${item}`).join("\n")}\n`);
  const data = join(directory.path, "data");
  await kindredJson(["replay", "--from", file, "--format", "csv", "--set", "ts=2026-01-01T00:00:00Z", "--data-dir", data]);
  const server = await KindredServer.start(data, { env: { KINDRED_INDEX__REBUILD_SHARE: "0.02", KINDRED_INDEX__FRESH_LIMIT: "1000" } });
  try {
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    const users = histories.map(([user]) => user as string);
    const report = await swapUnderLoad(
      server,
      users,
      (i) => ({ user: live[i % live.length]?.[0], item: live[i % live.length]?.[1], action: "play", ts: Date.now() }),
      { seconds: Number(flags.seconds), eventsPerSecond: 3000 },
    );
    results.row(users.length, report.requests, report.failed, report.swaps, round(report.recallAt50, 4), round(report.p99Ms));
  } finally {
    await server.stop();
  }
  await results.write();
} finally {
  await directory.remove();
}
