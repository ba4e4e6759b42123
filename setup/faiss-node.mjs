// The optional package faiss-node. Its own install downloads a binary or clones Faiss from GitHub, so it is never run here;
// the source that npm published is compiled against the system's Faiss instead, into the place where the package looks.
//   node setup/faiss-node.mjs    does it now; npm start and npm test do it when `index.engine: faiss-node` is asked for
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./command.mjs";
import { runNpm } from "./npm-packages.mjs";
import { SetUpError } from "./set-up-error.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The source was written against Faiss 1.7.4, where idx_t became a name of the namespace. */
const COMPAT = `#include <faiss/Index.h>
#if FAISS_VERSION_MAJOR == 1 && (FAISS_VERSION_MINOR < 7 || (FAISS_VERSION_MINOR == 7 && FAISS_VERSION_PATCH < 4))
namespace faiss { using idx_t = Index::idx_t; }
#endif
`;

const brew = (name) => join(process.env.HOMEBREW_PREFIX || "/opt/homebrew", "opt", name);
// clang's own -fopenmp is not Apple's: there the pragmas are ignored, and Faiss brings its threads itself.
const LINK =
  process.platform === "darwin"
    ? ["-bundle", "-undefined", "dynamic_lookup", `-I${brew("faiss")}/include`, `-L${brew("faiss")}/lib`, "-lfaiss"]
    : ["-shared", "-fopenmp", "-l:libfaiss.a", "-llapack", "-lopenblas", "-lgomp"];

/** Where the package looks for its addon. */
export const builtAddon = (packageFolder) => join(packageFolder, "build", "Release", "faiss-node.node");

/**
 * Compiles the published source of an installed faiss-node, where that is not done yet.
 * @returns {Promise<boolean>} whether it was compiled
 */
export async function compileFaissNode(packageFolder) {
  const output = builtAddon(packageFolder);
  if (existsSync(output)) return false;
  const aside = mkdtempSync(join(tmpdir(), "faiss-node-"));
  try {
    const compat = join(aside, "compat.h");
    writeFileSync(compat, COMPAT);
    mkdirSync(dirname(output), { recursive: true });
    const headers = [
      dirname(createRequire(join(packageFolder, "package.json")).resolve("node-addon-api")),
      createRequire(join(ROOT, "package.json"))("node-api-headers").include_dir,
    ];
    const source = join(packageFolder, "src", "faiss.cc");
    const flags = ["-std=c++17", "-O2", "-fPIC", "-DNAPI_VERSION=6", "-include", compat, ...headers.map((folder) => `-I${folder}`)];
    const done = await run(process.env.CXX || "g++", [...flags, source, "-o", `${output}.${process.pid}`, ...LINK]);
    if (!done.ok) throw new SetUpError(`the source of faiss-node does not compile; run: node setup/faiss-node.mjs\n${done.output.trim()}`);
    renameSync(`${output}.${process.pid}`, output);
    return true;
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** Whether the configuration asks for it: nobody else waits for a compiler. */
export function asksForFaissNode(root, env = process.env) {
  const inEnvironment = env.KINDRED_INDEX__ENGINE;
  if (inEnvironment !== undefined) return inEnvironment === "faiss-node";
  const file = join(root, "kindred.yaml");
  return existsSync(file) && /^\s+engine:\s*["']?faiss-node["']?\s*(#.*)?$/m.test(readFileSync(file, "utf8"));
}

/** @returns {Promise<boolean>} whether anything was done */
export async function setUpFaissNode(root, say = () => undefined) {
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const folder = join(root, "node_modules", "faiss-node");
  if (existsSync(builtAddon(folder))) return false;
  // npm leaves optional packages out where it was told to, or where their own script failed.
  if (!existsSync(folder)) {
    say("npm install faiss-node");
    const wanted = `faiss-node@${optionalDependencies["faiss-node"]}`;
    const done = await runNpm(root, ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--no-engine-strict", wanted]);
    if (!done.ok) throw new SetUpError(`faiss-node could not be installed; run: npm install --no-save ${wanted}\n${done.output.trim()}`);
  }
  say("compiling faiss-node");
  return compileFaissNode(folder);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const changed = await setUpFaissNode(ROOT, (text) => process.stderr.write(`set-up: ${text} ...\n`));
    process.stdout.write(`faiss-node: ${changed ? "done" : "up to date"}\n`);
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error;
    process.stderr.write(`set-up: ${error.message}\n`);
    process.exit(1);
  }
}
