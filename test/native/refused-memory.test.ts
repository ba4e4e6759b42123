// native/test/refused_memory.cc under the address sanitizer.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { addonPath } from "../../native/addon.js";

const run = promisify(execFile);
const root = join(addonPath(), "..", "..", "..");
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kindred-memory-"));
  await run(process.execPath, [join(root, "native", "build.mjs"), "--stress-asan"]);
}, 240_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

it("goes on as before where any single allocation is refused: upserts, searches, builds, swaps, saves, reopening", async () => {
  const { stdout, stderr } = await run(join(root, "build", "native", "refused_memory"), [directory]);
  expect(stderr).toBe("");
  const [users, items, verdict] = stdout.trim().split("\n");
  expect(verdict).toBe("0 wrong");
  // Each operation was refused something, as far as it takes any memory.
  for (const line of [users, items])
    for (const operation of ["grow", "search", "stage", "verify", "publish", "freeze", "write", "read", "load"])
      expect(line).toMatch(new RegExp(`\\b${operation} [1-9]`));
}, 120_000);
