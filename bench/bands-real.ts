/**
 * The fingerprint bands over real people, made many (bench/harness/bootstrap-codes.ts says how): what a query costs where
 * buckets are hot, what the cap cuts, and which share of the pairs is still found.
 *
 *   npm run -s bench -- bands-real --lastfm DIR --gowalla FILE [--drawn 1000000] [--copies 10]
 */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { temporaryDirectory } from "../test/harness/kindred-process.js";
import { runBands } from "./harness/bands-program.js";
import { Bootstrap } from "./harness/bootstrap-codes.js";
import { lastfmUsers, type RealUsers, splitUsers } from "./harness/real-users.js";
import { Results, round } from "./harness/results.js";

const UNCAPPED = 2 ** 31 - 1;
const { values: flags } = parseArgs({
  options: {
    lastfm: { type: "string" },
    gowalla: { type: "string" },
    drawn: { type: "string", default: "1000000" },
    copies: { type: "string", default: "10" },
    queries: { type: "string", default: "1000" },
  },
});
if (flags.lastfm === undefined || flags.gowalla === undefined)
  throw new Error("usage: npm run -s bench -- bands-real --lastfm DIR --gowalla FILE [--drawn N] [--copies N]");

const results = new Results("bands-real", "Fingerprint bands over real people made many; queries from the users themselves, one thread.", [
  "people",
  "codes",
  "bucket cap",
  "comparisons a query, mean",
  "median",
  "CPU us a query, Hamming < 3, mean",
  "median",
  "p99",
  "found a query",
  "queries cut, %",
  "pairs found, %",
  "largest bucket",
  "buckets over the cap",
  "bytes a code",
  "CPU us an update",
]);
const directory = await temporaryDirectory("bench-bands");

async function measure(name: string, users: RealUsers, copies: number, caps: readonly number[]): Promise<void> {
  const drawn = Number(flags.drawn);
  const count = drawn * copies;
  const bootstrap = new Bootstrap(users);
  results.note(
    `${name}: ${users.rows.length} real users; ${round(100 * bootstrap.fidelity(), 2)} % of them get their own fingerprint when their history is not drawn anew; ${drawn.toLocaleString("en-US")} were drawn, each there ${copies} times`,
  );
  const codes = join(directory.path, "codes.bin");
  await writeFile(codes, bootstrap.codes(drawn, 1));
  let all = 0;
  for (const cap of [UNCAPPED, ...caps]) {
    const queries = Number(flags.queries);
    const updates = cap === UNCAPPED ? 0 : 100_000;
    const { below3, stats, bytesACode, updates: updated } = await runBands({ users: count, cap, queries, updates, codes });
    if (cap === UNCAPPED) all = below3.found;
    results.row(
      name,
      count,
      cap === UNCAPPED ? "none" : cap,
      round(below3.candidates),
      below3.candidatesMedian,
      round(below3.microsAQuery),
      round(below3.microsMedian),
      round(below3.microsP99),
      round(below3.found / queries),
      round(100 * below3.truncated, 2),
      round((100 * below3.found) / all, 2),
      stats.largestBucket,
      stats.bucketsOverCap,
      round(bytesACode),
      updated === undefined ? null : round(updated.microsAnUpdate, 2),
    );
  }
  await rm(codes);
}

try {
  await measure("Last.fm, top 5 tags", await lastfmUsers(flags.lastfm), Number(flags.copies), [65_536, 16_384, 4_096]);
  await measure("Gowalla, items", await splitUsers(flags.gowalla), 1, [65_536]);
  await results.write();
} finally {
  await directory.remove();
}
