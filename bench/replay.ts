/**
 * Replay with everything on (journal, state, fingerprint bands, vector shard): events a second and CPU seconds a million events.
 *
 *   npm run -s bench -- replay [--retail FILE] [--lastfm FILE] [--events 1000000]
 *
 * `--retail` and `--lastfm` name real files; the made-up stream (Zipf users and items, each event another user) is the hard
 * case for the store: hardly two events of a micro-batch share a row.
 */
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { parseArgs } from "node:util";
import { kindredJson, temporaryDirectory } from "../test/harness/kindred-process.js";
import { Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: { retail: { type: "string" }, lastfm: { type: "string" }, events: { type: "string", default: "1000000" } },
});

interface ReplayReport {
  readonly events: number;
  readonly rejected: number;
  readonly seconds: number;
  readonly eventsPerSecond: number;
  readonly cpuSeconds: number;
}

/** Writes a stream of `events` over 100,000 users and 50,000 items, both Zipf with exponent 1. */
async function writeZipf(path: string, events: number): Promise<void> {
  let state = 42;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / (2 ** 32 + 1);
  };
  // The inverse of the continuous 1/x distribution on 1..n.
  const zipf = (n: number): number => Math.min(n - 1, Math.floor(n ** uniform()) - 1);
  const file = createWriteStream(path);
  file.write("user,item,ts\n");
  for (let i = 0; i < events; i += 10_000) {
    const lines = Array.from(
      { length: Math.min(10_000, events - i) },
      (_, j) => `u${zipf(100_000)},song:${zipf(50_000)},${1_700_000_000_000 + (i + j) * 50}`,
    );
    if (!file.write(`${lines.join("\n")}\n`)) await new Promise<void>((resolve) => file.once("drain", () => resolve()));
  }
  file.end();
  await finished(file);
}

const directory = await temporaryDirectory("bench-replay");
try {
  const results = new Results(
    "replay",
    "`kindred replay` of a file into an empty directory with all on: journal, state, fingerprint bands, vectors, read model.",
    ["input", "events", "rows", "seconds", "events/s", "CPU s per million events"],
  );
  const measure = async (name: string, args: readonly string[]): Promise<void> => {
    const data = join(directory.path, name.replaceAll(/\W/g, "-"));
    const report = await kindredJson<ReplayReport>(["replay", ...args, "--data-dir", data]);
    const { rows } = await kindredJson<{ rows: number }>(["state", "hash", "--data-dir", data]);
    results.row(
      name,
      report.events,
      rows,
      round(report.seconds, 2),
      Math.round(report.eventsPerSecond),
      round((report.cpuSeconds / report.events) * 1e6, 2),
    );
  };
  if (flags.retail !== undefined)
    await measure("online-retail", ["--from", flags.retail, "--format", "csv", "--map", "user=CustomerID,item=StockCode,ts=t"]);
  if (flags.lastfm !== undefined)
    await measure("lastfm-2k", [
      "--from",
      flags.lastfm,
      "--format",
      "tsv",
      "--map",
      "user=userID,item=artistID,value=weight",
      "--set",
      "ts=2011-01-01T00:00:00Z",
    ]);
  const zipf = join(directory.path, "zipf.csv");
  await writeZipf(zipf, Number(flags.events));
  await measure("made-up Zipf stream", ["--from", zipf, "--format", "csv"]);
  await results.write();
} finally {
  await directory.remove();
}
