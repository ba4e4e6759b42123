import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { projectRoot } from "../../test/harness/kindred-process.js";

/** The interpreter that has the packages of a requirements file; installs them the first time. */
export function benchPython(requirements = "bench/requirements.txt"): string {
  const { status, stdout } = spawnSync(process.execPath, [join(projectRoot, "setup", "python.mjs"), requirements], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`the Python packages of ${requirements} are not there`);
  return stdout.trim();
}
