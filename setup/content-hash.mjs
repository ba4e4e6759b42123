// Hashes of files, so that a step of the set-up can tell that nothing changed. Contents, not times: a checkout changes times.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** All files under `folder` whose path `wanted` accepts, sorted; node_modules and what is hidden are left out. */
export function filesUnder(folder, wanted = () => true) {
  if (!existsSync(folder)) return [];
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    if (entry.isDirectory()) found.push(...filesUnder(path, wanted));
    else if (entry.isFile() && wanted(path)) found.push(path);
  }
  return found.sort();
}

/** SHA-256 over names and contents of files, with `salt` for what else decides the outcome. */
export function hashFiles(root, files, salt = "") {
  const hash = createHash("sha256").update(salt);
  for (const file of files) {
    const bytes = readFileSync(file);
    hash.update(`\0${relative(root, file)}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** What a finished step left behind; empty when it never finished. */
export function readStamp(path) {
  return existsSync(path) ? readFileSync(path, "utf8").trim() : "";
}

export function writeStamp(path, stamp) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${stamp}\n`);
}
