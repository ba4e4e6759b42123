import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

interface Package {
  readonly root: string;
  readonly version: string;
}

/** The folder above this file (source or dist) that has kindred's package.json; undefined where there is none. */
function findPackage(): Package | undefined {
  for (let root = import.meta.dirname; ; root = dirname(root)) {
    try {
      const { name, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { name?: string; version?: string };
      if (name === "kindred") return { root, version: version ?? "0.0.0" };
    } catch {
      // Not here: one folder up.
    }
    if (dirname(root) === root) return undefined;
  }
}

export const packageVersion = (): string => findPackage()?.version ?? "0.0.0";

/** The text of a file of the package, such as a schema for producers. @throws Error */
export function packageFile(...path: readonly string[]): string {
  const found = findPackage();
  if (found === undefined) throw new Error(`${path.join("/")}: kindred's package.json is not above ${import.meta.dirname}`);
  return readFileSync(join(found.root, ...path), "utf8");
}
