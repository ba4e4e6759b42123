// node_modules as the lock file says.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.mjs";
import { hashFiles, readStamp, writeStamp } from "./content-hash.mjs";
import { SetUpError } from "./set-up-error.mjs";

const readPackages = (path) => JSON.parse(readFileSync(path, "utf8")).packages ?? {};

/** Whether what npm says it installed is what the lock file asks for (someone ran npm by hand). */
export function matchesLock(root) {
  const installedPath = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installedPath)) return false;
  try {
    const installed = readPackages(installedPath);
    return Object.entries(readPackages(join(root, "package-lock.json"))).every(([path, wanted]) => {
      if (path === "" || wanted.link === true) return true;
      const have = installed[path];
      // Packages for other platforms are in the lock file and never installed.
      return have === undefined ? wanted.optional === true : have.version === wanted.version && have.integrity === wanted.integrity;
    });
  } catch {
    return false;
  }
}

/** Runs the npm that started this, or the one on the path. */
export function runNpm(root, args) {
  const npm = process.env.npm_execpath;
  return npm?.endsWith(".js") ? run(process.execPath, [npm, ...args], { cwd: root }) : run("npm", args, { cwd: root });
}

/**
 * Only rocksdb's install script may run, to choose its binary. package.json says so too (allowScripts), but the npm that
 * comes with Node 20 does not know that key, and faiss-node's script would download or build Faiss.
 */
async function install(root) {
  const done = await runNpm(root, ["ci", "--include=dev", "--no-audit", "--no-fund", "--no-engine-strict", "--ignore-scripts"]);
  return done.ok ? runNpm(root, ["rebuild", "--no-ignore-scripts", "rocksdb"]) : done;
}

/** @returns {Promise<boolean>} whether npm ran */
export async function setUpNpmPackages(root, say) {
  const stampPath = join(root, "node_modules", ".kindred-setup");
  const stamp = hashFiles(root, [join(root, "package-lock.json")], `${process.platform}-${process.arch}`);
  if (readStamp(stampPath) === stamp && existsSync(join(root, "node_modules", "typescript"))) return false;
  if (!matchesLock(root)) {
    say("npm ci");
    const done = await install(root);
    if (!done.ok) throw new SetUpError(`npm ci failed; run it to see more: npm ci\n${done.output.trim()}`);
  }
  writeStamp(stampPath, stamp);
  return true;
}
