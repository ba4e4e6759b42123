// The programs of native/test, compiled with -fsanitize=thread: whatever threads share, without Node.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { addonPath } from "../../native/addon.js";

const run = promisify(execFile);
const root = join(addonPath(), "..", "..", "..");
const SECONDS = "1";
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kindred-tsan-"));
  // Its error says which package is missing, where it is the sanitizer's library.
  await run(process.execPath, [join(root, "native", "build.mjs"), "--stress-tsan"]);
}, 240_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

it.each([
  ["the table alone: overwritten, removed, added to, its slots used again", "table_stress", [SECONDS], [/ 0 torn/, / 0 torn/]],
  ["what was reserved and must not allocate", "reserved_memory", [], [/^0 allocated by appends, 0 by threads of a scan/]],
  ["scans split over cores", "split_scan", [SECONDS], [/^0 wrong/]],
  [
    "the whole index: overwrites, new users, removals, searches with deadlines, builds, swaps, files",
    "index_stress",
    [SECONDS],
    [
      /^users, float32, 2 shards: .* 0 wrong, 0 torn, 0 in limbo, 0 retired/,
      /^items, float16, 3 shards: .* 0 wrong, 0 torn, 0 in limbo, 0 retired/,
    ],
  ],
  [
    "bands: nobody near is missed in hot buckets while others move",
    "bands_stress",
    ["20000"],
    [/^0 missed, 0 wrong, 0 wrong at the cap, 0 left/],
  ],
  ["the read model: rows, ids, bands, files", "read_model_stress", ["DIRECTORY", "600"], [/^0 faults/]],
] as const)(
  "is clean: %s",
  async (_what, program, args, good) => {
    const { stdout, stderr } = await run(
      join(root, "build", "native", program),
      args.map((arg) => (arg === "DIRECTORY" ? directory : arg)),
    );
    expect(stderr).not.toContain("ThreadSanitizer");
    const lines = stdout.trim().split("\n");
    expect(lines.length).toBe(good.length);
    for (const [i, line] of lines.entries()) expect(line).toMatch(good[i] as RegExp);
  },
  90_000,
);
