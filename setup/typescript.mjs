// TypeScript to dist/, with what the code reads at run time beside it.
import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { run } from "./command.mjs";
import { filesUnder, hashFiles, readStamp, writeStamp } from "./content-hash.mjs";
import { SetUpError } from "./set-up-error.mjs";

/** The folders that the product is made of; tests and benchmarks run from their sources. */
export const PRODUCT_FOLDERS = ["schemas", "state", "streams", "index", "models", "api", "native", "cli", "town"];
/** Read at run time, found beside the compiled file. */
const STATIC_FILE = /\.(avsc|json|proto|html|css|svg|png|ico|woff2)$/;
const SOURCE = /(?<!\.d)\.c?ts$/;

const isWanted = (path) => SOURCE.test(path) || STATIC_FILE.test(path);

/** Output of a source that was removed or renamed would still be found by an import. */
function removeStaleOutput(root, dist) {
  for (const output of filesUnder(dist)) {
    const source = join(root, relative(dist, output).replace(/\.(c?)js(\.map)?$/, ".$1ts"));
    if (!existsSync(source)) rmSync(output);
  }
}

/** @returns {Promise<boolean>} whether anything was compiled */
export async function setUpTypeScript(root) {
  const dist = join(root, "dist");
  const sources = PRODUCT_FOLDERS.flatMap((folder) => filesUnder(join(root, folder), isWanted));
  const settings = ["tsconfig.json", "tsconfig.build.json", "package-lock.json"].map((name) => join(root, name));
  const stamp = hashFiles(root, [...settings, ...sources]);
  const stampPath = join(dist, ".kindred-setup");
  if (readStamp(stampPath) === stamp && existsSync(join(dist, "cli", "main.cjs"))) return false;
  removeStaleOutput(root, dist);
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const done = await run(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: root });
  if (!done.ok) throw new SetUpError(`the TypeScript does not compile; run: npx tsc -p tsconfig.build.json\n${done.output.trim()}`);
  for (const file of sources.filter((path) => STATIC_FILE.test(path))) {
    const to = join(dist, relative(root, file));
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(file, to);
  }
  writeStamp(stampPath, stamp);
  return true;
}
