/**
 * What a search costs, side by side: kindred's walk, the stock search of the Faiss it is built with over the very same
 * graph, and from PyPI faiss-cpu (that graph too) and usearch (its own, of the same M and efConstruction). One thread, k = 50.
 *
 *   npm run -s bench -- search-cost [--rows 100000,1000000] [--dims 64] [--rounds 3]
 *
 * Costs are CPU microseconds of the searching thread, the least of all rounds for each ef; at a given recall they are
 * interpolated between the ef below and above it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { projectRoot } from "../test/harness/kindred-process.js";
import { benchPython } from "./harness/bench-python.js";
import { Results, round } from "./harness/results.js";

interface Line {
  readonly engine: string;
  readonly ef: number;
  readonly recall: number;
  readonly cpuMicros: number;
}

const M = 16;
const EF_CONSTRUCTION = 80;
const RECALLS = [0.96, 0.98, 0.99];
const OURS = ["float32", "float16", "stock", "stock-ip"];
const PEERS = ["faiss-cpu", "usearch"];

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "100000,1000000" },
    dims: { type: "string", default: "64" },
    rounds: { type: "string", default: "3" },
  },
});
const dims = Number(flags.dims);

/** Runs a program to its end; it must succeed. */
function run(program: string, args: readonly string[]): string {
  const { status, stdout, error } = spawnSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status ?? error?.message}`);
  return stdout;
}

const linesOf = (output: string): Line[] =>
  output
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line);

/** For each engine, its cheapest run at each ef, ascending. */
function cheapest(lines: readonly Line[]): Map<string, Line[]> {
  const engines = new Map<string, Map<number, Line>>();
  for (const line of lines) {
    const efs = engines.get(line.engine) ?? new Map<number, Line>();
    engines.set(line.engine, efs);
    if (line.cpuMicros < (efs.get(line.ef)?.cpuMicros ?? Number.POSITIVE_INFINITY)) efs.set(line.ef, line);
  }
  return new Map([...engines].map(([engine, efs]) => [engine, [...efs.values()].sort((a, b) => a.ef - b.ef)]));
}

/** CPU microseconds at `recall`; null where no ef reaches it, or the least one is above it. */
function costAt(recall: number, lines: readonly Line[]): number | null {
  const above = lines.findIndex((line) => line.recall >= recall);
  const [low, high] = [lines[above - 1], lines[above]];
  if (low === undefined || high === undefined) return null;
  const share = Math.log((1 - low.recall) / (1 - recall)) / Math.log((1 - low.recall) / (1 - high.recall));
  return low.cpuMicros + share * (high.cpuMicros - low.cpuMicros);
}

run(process.execPath, [join(projectRoot, "native", "build.mjs"), "--bench"]);
const program = join(projectRoot, "build", "native", "search_cost");
const python = benchPython();
const results = new Results(
  "search-cost",
  `Searches of unit vectors of ${dims} dimensions (16 latent ones and noise), k = 50, M ${M}, efConstruction ${EF_CONSTRUCTION}.`,
  ["rows", "engine", ...RECALLS.map((recall) => `CPU us at recall@50 ${recall}`), "times kindred float32"],
);
for (const rows of flags.rows.split(",").map(Number)) {
  // Made once a machine: building a million takes minutes.
  const directory = join(tmpdir(), `kindred-search-cost-${rows}-${dims}`);
  if (!existsSync(join(directory, "shape.u32"))) {
    mkdirSync(directory, { recursive: true });
    run(program, ["make", directory, String(rows), String(dims), String(M), String(EF_CONSTRUCTION)]);
  }
  const lines: Line[] = [];
  for (let i = 0; i < Number(flags.rounds); i++) {
    for (const engine of OURS) lines.push(...linesOf(run(program, ["search", directory, engine])));
    for (const peer of PEERS)
      lines.push(
        ...linesOf(
          run(python, [join(projectRoot, "bench", "peers", "search_cost.py"), directory, String(M), String(EF_CONSTRUCTION), peer]),
        ),
      );
  }
  const engines = cheapest(lines);
  const ours = engines.get("kindred float32") ?? [];
  for (const [engine, found] of engines) {
    const costs = RECALLS.map((recall) => costAt(recall, found));
    const times = RECALLS.map((recall, i) => (costs[i] ?? Number.NaN) / (costAt(recall, ours) ?? Number.NaN)).filter(Number.isFinite);
    results.row(rows, engine, ...costs.map((cost) => cost && round(cost)), times.map((one) => round(one, 2)).join(" / "));
  }
}
await results.write();
