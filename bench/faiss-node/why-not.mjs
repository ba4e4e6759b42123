/**
 * Shows what keeps the package faiss-node 0.5.1 from carrying a service, on this machine:
 * the query buffer that search() never frees, and the abort when a second worker thread makes an index.
 *
 *   node bench/faiss-node/why-not.mjs
 *
 * The package's own install downloads a prebuilt binary or clones Faiss from GitHub; here its published source is
 * compiled against the system's libfaiss instead (setup/faiss-node.mjs), in a temporary directory. Needs g++, libfaiss-dev, libopenblas-dev.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { builtAddon, compileFaissNode } from "../../setup/faiss-node.mjs";

const VERSION = "0.5.1";

/** Installs the package apart from the checkout and compiles its published source; returns the addon's path. */
async function build(directory) {
  writeFileSync(join(directory, "package.json"), '{"private":true}');
  execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", `faiss-node@${VERSION}`], {
    cwd: directory,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const folder = join(directory, "node_modules", "faiss-node");
  await compileFaissNode(folder);
  return builtAddon(folder);
}

/** Resident bytes a search leaves behind, after a warm-up, by dimensions. */
const LEAK = `
  const { IndexFlatIP } = require(process.argv[1]);
  const dims = Number(process.argv[2]), searches = Number(process.argv[3]);
  const index = new IndexFlatIP(dims);
  const vector = Array.from({ length: dims }, (_, i) => Math.sin(i + 1));
  index.add(vector);
  const run = (n) => { for (let i = 0; i < n; i++) index.search(vector, 1); global.gc(); global.gc(); return process.memoryUsage.rss(); };
  run(20000);
  const before = run(20000);
  const after = run(searches);
  process.stdout.write(JSON.stringify((after - before) / searches));
`;

// fromFactory (like read) makes its object with the constructor of whichever thread loaded the addon last.
const TWO_WORKERS = `
  const { Worker } = require("node:worker_threads");
  const code = 'const { Index } = require(require("node:worker_threads").workerData); const index = Index.fromFactory(4, "HNSW16"); require("node:worker_threads").parentPort.on("message", () => {}).postMessage(index.ntotal());';
  const start = () => new Promise((resolve, reject) => {
    const worker = new Worker(code, { eval: true, workerData: process.argv[1] });
    worker.once("message", () => resolve(worker)).once("error", reject);
  });
  const { Index } = require(process.argv[1]);
  Index.fromFactory(4, "HNSW16");
  start().then(() => Index.fromFactory(4, "HNSW16")).then(() => { process.stdout.write("fine"); process.exit(0); }, (error) => { process.stdout.write("refused: " + error.message); process.exit(1); });
`;

// Adding to an index that was not trained throws inside Faiss, where the addon has no catch.
const UNCAUGHT = `
  const { Index } = require(process.argv[1]);
  try { Index.fromFactory(4, "IVF4,Flat").add([1, 2, 3, 4]); process.stdout.write("added"); }
  catch (error) { process.stdout.write("caught: " + error.message.slice(0, 80)); }
`;

function run(code, args, flags = []) {
  const child = spawnSync(process.execPath, [...flags, "-e", code, ...args], { encoding: "utf8", timeout: 120_000 });
  return {
    out: child.stdout.trim(),
    signal: child.signal,
    status: child.status,
    err:
      child.stderr
        .split("\n")
        .find((line) => /what\(\)|FATAL|Fatal/.test(line))
        ?.trim() ?? "",
  };
}

const directory = mkdtempSync(join(tmpdir(), "faiss-node-"));
try {
  const addon = await build(directory);
  if (!existsSync(addon)) throw new Error(`no addon in ${dirname(addon)}`);
  for (const [dims, searches] of [
    [64, 400_000],
    [1024, 100_000],
  ]) {
    const { out } = run(LEAK, [addon, String(dims), String(searches)], ["--expose-gc"]);
    console.log(`search() at ${dims} dimensions leaves ${Math.round(Number(out))} bytes behind a call (the query is ${dims * 4} bytes)`);
  }
  const workers = run(TWO_WORKERS, [addon]);
  console.log(
    `an index made in a worker thread, then in the main one: ${workers.signal ? `the process ends with ${workers.signal}: ${workers.err}` : workers.out}`,
  );
  const uncaught = run(UNCAUGHT, [addon]);
  console.log(`an exception inside Faiss: ${uncaught.signal ? `the process ends with ${uncaught.signal}: ${uncaught.err}` : uncaught.out}`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
