import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** An error of the addon or of its loading: `code` is one of the error table's, as far as native code can know. */
export interface CodedError extends Error {
  readonly code: string;
}

let loaded: unknown;

/**
 * The addon's exports, loaded once a thread.
 * @throws CodedError ADDON_MISSING when build/native/kindred.node is not there or cannot be loaded
 */
export function loadAddon(): unknown {
  loaded ??= load(addonPath());
  return loaded;
}

/** build/native/kindred.node under the folder whose package.json is named kindred, above this file (source or dist). */
export function addonPath(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && (JSON.parse(readFileSync(manifest, "utf8")) as { name?: string }).name === "kindred") {
      return join(folder, "build", "native", "kindred.node");
    }
    if (dirname(folder) === folder) throw missing("no package.json named kindred above the addon's loader");
  }
}

function load(path: string): unknown {
  if (!existsSync(path)) throw missing("build/native/kindred.node is not built; run: node native/build.mjs");
  try {
    return createRequire(import.meta.url)(path) as unknown;
  } catch (cause) {
    throw missing(`build/native/kindred.node does not load: ${(cause as Error).message}`, cause);
  }
}

function missing(message: string, cause?: unknown): CodedError {
  return Object.assign(new Error(message, { cause }), { code: "ADDON_MISSING" });
}
