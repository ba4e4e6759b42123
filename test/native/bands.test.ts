import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { addonPath } from "../../native/addon.js";

const run = promisify(execFile);
const root = join(addonPath(), "..", "..", "..");

test("bands and read model are clean under the thread sanitizer, and nobody near is missed in hot buckets while others move", async () => {
  await run(process.execPath, [join(root, "native", "build.mjs"), "--stress-tsan", "bands_stress", "read_model_stress"]);
  const directory = await mkdtemp(join(tmpdir(), "kindred-stress-"));
  try {
    for (const [program, args, good] of [
      ["bands_stress", ["20000"], /^0 missed, 0 wrong, 0 wrong at the cap, 0 left/],
      ["read_model_stress", [directory, "1000"], /^0 faults/],
    ] as const) {
      const { stdout, stderr } = await run(join(root, "build", "native", program), [...args]);
      expect(stderr).not.toContain("ThreadSanitizer");
      expect(stdout).toMatch(good);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
}, 300_000);
