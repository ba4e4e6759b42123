/** Makes docs/BENCHMARKS.md of bench/results/*.json. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { projectRoot } from "../test/harness/kindred-process.js";
import type { BenchResult } from "./harness/results.js";

const directory = join(projectRoot, "bench", "results");
const names = (await readdir(directory)).filter((name) => name.endsWith(".json")).sort();
const sections: string[] = [];
for (const name of names) {
  const result = JSON.parse(await readFile(join(directory, name), "utf8")) as BenchResult;
  const line = (cells: readonly unknown[]): string =>
    `| ${cells.map((cell) => (typeof cell === "number" ? cell.toLocaleString("en-US") : (cell ?? ""))).join(" | ")} |`;
  sections.push(
    [
      `## ${result.bench}`,
      "",
      result.what,
      "",
      line(result.columns),
      `|${result.columns.map(() => "---|").join("")}`,
      ...result.rows.map(line),
      "",
      ...result.notes.map((note) => `- ${note}`),
      `- \`${result.command}\`, ${result.date}; ${result.machine}; load average before the run ${result.loadBefore}`,
      "",
    ].join("\n"),
  );
}
const head = `# Benchmarks

Made by \`npm run -s bench -- report\` of the JSON files in \`bench/results/\`, each written by the command under its table. The
machine has two cores that are shared: trust ratios and CPU seconds, not wall times. The load generator runs on the same two
cores where there is one.

`;
await writeFile(join(projectRoot, "docs", "BENCHMARKS.md"), head + sections.join("\n"));
