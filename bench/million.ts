/**
 * A million users in memory: bytes each, the time from the files to ready, and searches where the graph does not help: before
 * the first one, and with a fresh list far above its cap.
 *
 *   npm run -s bench -- million [--rows 1000000] [--items 20]
 */
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { NativeReadModel } from "../index/read-model/native-read-model.js";
import { openShards } from "../index/shards/shard-files.js";
import type { EmbeddedEngine } from "../index/vector-engine/embedded-engine.js";
import { NO_ORDINAL } from "../native/vector-index.js";
import type { EpochMs, Offset, Partition, UserId } from "../schemas/ids.js";
import { formatManifest, parseManifest } from "../schemas/manifest.js";
import { builtDirectory, builtEngine, filledEngine } from "./harness/built-shards.js";
import { LowRankVectors } from "./harness/low-rank-vectors.js";
import { publishProfiles } from "./harness/made-up-profiles.js";
import { quantile, Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: { rows: { type: "string", default: "1000000" }, items: { type: "string", default: "20" }, open: { type: "string" } },
});
const [rows, items] = [Number(flags.rows), Number(flags.items)];
const DIMS = 64;
const REPLACED = 20_000;

interface Opened {
  readonly model: number;
  readonly vectors: number;
  readonly ids: number;
  readonly cpuSeconds: number;
  readonly residentMiB: number;
  readonly peakMiB: number;
  readonly bytes: Readonly<Record<"table" | "graph" | "writer" | "model", number>>;
}

/** As the server does it at its start (index/index-files.ts), in a process of its own. */
async function open(directory: string): Promise<Opened> {
  const began = performance.now();
  const model = await NativeReadModel.open(directory);
  if (model === undefined) throw new Error(`no read model in ${directory}`);
  const opened = performance.now();
  let idMs = 0;
  const ordinalsOf = (ids: readonly string[]): Uint32Array => {
    const at = performance.now();
    const found = Uint32Array.from(ids, (id) => model.userOrdinal(id as UserId) ?? NO_ORDINAL);
    idMs += performance.now() - at;
    return found;
  };
  const { engine } = await openShards(directory, { ordinalsOf });
  const done = performance.now();
  const { user, system } = process.cpuUsage();
  const { table, graph, writer } = engine.stats().memoryBytes;
  return {
    model: (opened - began) / 1000,
    vectors: (done - opened) / 1000,
    ids: idMs / 1000,
    cpuSeconds: (user + system) / 1e6,
    residentMiB: process.memoryUsage.rss() / 2 ** 20,
    peakMiB: process.resourceUsage().maxRSS / 1024,
    bytes: { table, graph, writer, model: model.stats().memoryBytes },
  };
}

/** Wall milliseconds (median) and CPU of the process for a search; answers are compared with nothing. */
async function searchCost(engine: EmbeddedEngine, count: number): Promise<{ ms: number; cpuUs: number }> {
  const queries = new LowRankVectors(2, DIMS).rows(count);
  const took: number[] = [];
  await engine.search(queries.subarray(0, DIMS), { k: 50 });
  const cpu = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const began = performance.now();
    await engine.search(queries.subarray(i * DIMS, (i + 1) * DIMS), { k: 50 });
    took.push(performance.now() - began);
  }
  const { user, system } = process.cpuUsage(cpu);
  return { ms: quantile(took, 0.5), cpuUs: (user + system) / count };
}

function bytesOfModel(withItems: number, hasFingerprint: boolean): number {
  const model = NativeReadModel.create();
  publishProfiles(model, rows, withItems, hasFingerprint);
  // What was replaced on the way is freed when enough of it has come together.
  for (let i = 0; i < REPLACED; i++) model.setApplied(0 as Partition, rows as Offset, 0 as EpochMs);
  const { memoryBytes } = model.stats();
  model.close();
  return memoryBytes / rows;
}

if (flags.open !== undefined) {
  console.log(JSON.stringify(await open(flags.open)));
  process.exit(0);
}

const results = new Results("million", `${rows} users with ${DIMS} dimensions and profiles of ${items} items.`, [
  "what",
  "storage",
  "figure",
  "unit",
]);

const directory = await builtDirectory({ rows });
const saved = NativeReadModel.create();
publishProfiles(saved, rows, items, true);
await saved.save(directory);
saved.close();
const manifestFile = join(directory, "manifest.json");
const text = await readFile(manifestFile, "utf8");
try {
  for (const storage of ["float32", "float16"] as const) {
    // The files hold float32 whatever the table holds.
    await writeFile(manifestFile, formatManifest({ ...parseManifest(text, manifestFile), storage }));
    const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), "--open", directory], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (child.status !== 0) throw new Error(`opening ${directory} ended with ${child.status}`);
    const opened = JSON.parse(child.stdout) as Opened;
    results.row("table", storage, round(opened.bytes.table / rows), "bytes a user");
    results.row("graph and what it was built with", storage, round(opened.bytes.graph / rows), "bytes a user");
    results.row("writer's notes", storage, round(opened.bytes.writer / rows), "bytes a user");
    results.row("resident after opening", storage, round(opened.residentMiB, 0), "MiB");
    results.row("resident at most meanwhile", storage, round(opened.peakMiB, 0), "MiB");
    results.row("files to ready: read model", storage, round(opened.model, 2), "s");
    results.row("files to ready: vectors and graph", storage, round(opened.vectors, 2), "s");
    results.row("of it, ids to ordinals", storage, round(opened.ids, 2), "s");
    results.row("files to ready: all", storage, round(opened.cpuSeconds, 2), "CPU s of the process");
    if (storage === "float32") results.row("read model, all", null, round(opened.bytes.model / rows), "bytes a user");
  }
} finally {
  await writeFile(manifestFile, text);
}
const bare = bytesOfModel(0, false);
results.row("read model: id and row without items", null, round(bare), "bytes a user");
results.row("read model: fingerprint and its four bands", null, round(bytesOfModel(0, true) - bare), "bytes a user");

for (const storage of ["float32", "float16"] as const) {
  const before = filledEngine({ rows, dims: DIMS }, storage);
  const { ms, cpuUs } = await searchCost(before, 100);
  results.row("search before the first graph (exact scan on all cores)", storage, round(ms, 2), "ms, median");
  results.row("search before the first graph (exact scan on all cores)", storage, round(cpuUs, 0), "CPU us");
  await before.close();
}
const engine = await builtEngine({ rows, dims: DIMS });
const drawn = new LowRankVectors(5, DIMS);
for (const fresh of [0, 20_000, 100_000]) {
  const already = engine.stats().shards[0]?.fresh ?? 0;
  const ordinals = Uint32Array.from({ length: fresh - already }, (_, i) => rows + already + i);
  engine.upsert({ ordinals, vectors: drawn.rows(ordinals.length) });
  const { ms, cpuUs } = await searchCost(engine, 500);
  results.row(`search with ${fresh} fresh rows beside the graph`, "float32", round(ms, 2), "ms, median");
  results.row(`search with ${fresh} fresh rows beside the graph`, "float32", round(cpuUs, 0), "CPU us");
}
await engine.close();
await results.write();
