// `npm test`: every check, then every test; each part that fails is named, and a summary is left for .ci/run.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const build = join(root, "build");
const results = join(build, "test-results.json");
const bin = (...parts) => join(root, "node_modules", ...parts);
const filters = process.argv.slice(2);

/** What `npm test` consists of, in the order that finds mistakes soonest. Arguments narrow it to test files. */
const PARTS = [
  { name: "lint, format and folder rules", args: [bin("@biomejs", "biome", "bin", "biome"), "check", "--error-on-warnings", "."] },
  { name: "types", args: [bin("typescript", "bin", "tsc"), "-p", ".", "--noEmit"] },
  {
    name: "tests",
    args: [bin("vitest", "vitest.mjs"), "run", "--reporter=default", "--reporter=json", `--outputFile.json=${results}`, ...filters],
  },
];

/** Counts of vitest's JSON report; a run that left none counts as one failure. */
function testCounts(ok) {
  if (!existsSync(results)) return { passed: 0, failed: 1 };
  const report = JSON.parse(readFileSync(results, "utf8"));
  // A file that could not be loaded fails as a suite, without a test that fails.
  const brokenFiles = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"),
  ).length;
  const failed = report.numFailedTests + brokenFiles;
  return { passed: report.numPassedTests, failed: ok ? failed : Math.max(1, failed) };
}

mkdirSync(build, { recursive: true });
rmSync(results, { force: true });
const failedParts = [];
const total = { passed: 0, failed: 0 };
for (const part of filters.length > 0 ? PARTS.slice(-1) : PARTS) {
  process.stdout.write(`\n> ${part.name}\n`);
  const ok = spawnSync(process.execPath, part.args, { cwd: root, stdio: "inherit" }).status === 0;
  if (!ok) failedParts.push(part.name);
  const counts = part.name === "tests" ? testCounts(ok) : { passed: 0, failed: ok ? 0 : 1 };
  total.passed += counts.passed;
  total.failed += counts.failed;
}
writeFileSync(join(build, "test-summary.json"), `${JSON.stringify({ ...total, failedParts })}\n`);
if (failedParts.length > 0) {
  process.stderr.write(`\nfailed: ${failedParts.join("; ")}\n`);
  process.exit(1);
}
