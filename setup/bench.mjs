// `npm run -s bench -- NAME ARGS`: compiles the benchmarks beside the product and runs bench/NAME.ts.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [name, ...args] = process.argv.slice(2);
const known = readdirSync(join(root, "bench")).flatMap((file) => (file.endsWith(".ts") ? [file.slice(0, -3)] : []));
if (name === undefined || !known.includes(name)) {
  process.stderr.write(`usage: npm run -s bench -- NAME [ARGS], with one of: ${known.join(", ")}\n`);
  process.exit(2);
}
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
const compiled = spawnSync(process.execPath, [tsc, "-p", "tsconfig.bench.json"], { cwd: root, stdio: ["ignore", 2, 2] });
const main = join(root, "dist", "bench", `${name}.js`);
if (compiled.status !== 0 || !existsSync(main)) process.exit(1);
// Searches that a bench makes itself shall find the pool that a server has.
const env = { UV_THREADPOOL_SIZE: String(Math.max(2, availableParallelism())), ...process.env };
process.exit(spawnSync(process.execPath, [main, ...args], { stdio: "inherit", env }).status ?? 1);
