// What a disk, a memory or a hand may do to the files of an index: an error with a code, and the process goes on.
import { execFile, execFileSync } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openShards, saveShards } from "../../../index/shards/shard-files.js";
import { EmbeddedEngine } from "../../../index/vector-engine/embedded-engine.js";
import { addonPath } from "../../../native/addon.js";
import { crc32c, NO_ORDINAL } from "../../../native/vector-index.js";
import { formatManifest, type ManifestFile, parseManifest } from "../../../schemas/manifest.js";
import { GENERATION } from "../vector-engine/conformance.js";
import { listeners, upTo } from "../vector-engine/listeners.js";

const DIMS = 16;
const ROWS = 400;
const KINDS = ["rows", "graph", "nodes", "ids"] as const;
const town = listeners(DIMS, 51);
const settings = { positions: new Map(), idsOf: (ordinals: Uint32Array): string[] => Array.from(ordinals, String) };
const ordinalsOf = (ids: readonly string[]): Uint32Array => Uint32Array.from(ids, (id) => (/^\d{1,5}$/.test(id) ? Number(id) : NO_ORDINAL));

let root: string;
let good: string;
let damaged: string;
let engine: EmbeddedEngine;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "kindred-damage-"));
  [good, damaged] = [join(root, "good"), join(root, "damaged")];
  await mkdir(damaged);
  engine = EmbeddedEngine.create({ dims: DIMS, metric: "cosine", generation: GENERATION, scanRowsPerEf: 0 });
  engine.upsert({ ordinals: upTo(ROWS), vectors: town.rows(ROWS) });
  const crowd = town.listener(1);
  for (let i = 0; i < 10; i++) engine.upsert({ ordinals: Uint32Array.of(ROWS + i), vectors: crowd });
  await (await (await engine.stage(0)).verify()).publish(0.9);
  await saveShards(engine, good, settings);
});
afterAll(async () => {
  await engine.close();
  await rm(root, { recursive: true, force: true });
});

/** A flipped bit in the header, the body or the last bytes, or a cut; `at` and `length` are shares of the file. */
const damage = fc.record({
  kind: fc.constantFrom(...KINDS, "json" as const),
  region: fc.constantFrom("header" as const, "body" as const, "trailer" as const, "cut" as const),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  bit: fc.integer({ min: 0, max: 7 }),
});
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function damagedBytes(bytes: Buffer, { region, at, bit }: Damage): Buffer {
  if (region === "cut") return bytes.subarray(0, Math.floor(at * (bytes.length - 1)));
  const edge = Math.min(96, bytes.length);
  const first = region === "trailer" ? bytes.length - edge : 0;
  const place = first + Math.floor(at * ((region === "body" ? bytes.length : edge) - 1));
  const changed = Buffer.from(bytes);
  changed[place] = (changed[place] as number) ^ (1 << bit);
  return changed;
}

/** A copy of the good files with one of them damaged; its name. */
async function copyDamaged(what: Damage): Promise<string> {
  const names = await readdir(good);
  for (const name of names) await copyFile(join(good, name), join(damaged, name));
  const name = names.find((one) => one.endsWith(what.kind)) as string;
  await writeFile(join(damaged, name), damagedBytes(await readFile(join(good, name)), what));
  return name;
}

it("tells each flipped bit and each cut, wherever they are, by the name of the file", async () => {
  await fc.assert(
    fc.asyncProperty(damage, async (what) => {
      const name = await copyDamaged(what);
      await expect(openShards(damaged, { ordinalsOf })).rejects.toMatchObject({
        code: "SHARD_CORRUPT",
        message: expect.stringContaining(name),
      });
    }),
    { numRuns: 200 },
  );
  const again = await openShards(good, { ordinalsOf });
  expect(again.engine.size).toBe(ROWS + 10);
  await again.engine.close();
}, 90_000);

it("refuses or survives damage that the manifest vouches for, as of a program that writes such files wrongly", async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(damage, async (what) => {
      if (what.kind === "json") return;
      const name = await copyDamaged(what);
      const manifest = parseManifest(await readFile(join(good, "manifest.json"), "utf8"), "manifest.json");
      const bytes = await readFile(join(damaged, name));
      const vouched = (file: ManifestFile): ManifestFile =>
        file.name === name ? { name, bytes: bytes.length, crc32c: crc32c(bytes) } : file;
      const shards = manifest.shards.map((shard) => ({ ...shard, ids: vouched(shard.ids), files: shard.files.map(vouched) }));
      await writeFile(join(damaged, "manifest.json"), formatManifest({ ...manifest, shards }));
      const opened = await openShards(damaged, { ordinalsOf, scanRowsPerEf: 0 }).catch((error: { code: string }) => error);
      if (!("engine" in opened)) {
        // A flipped id may be another's: two rows of one ordinal.
        expect(opened.code).toMatch(what.kind === "ids" ? /^(SHARD_CORRUPT|INVALID_ARGUMENT)$/ : /^SHARD_CORRUPT$/);
        refused++;
        return;
      }
      for (const exact of [false, true]) {
        const query = town.listener();
        const found = await (exact ? opened.engine.searchExact(query, { k: 30 }) : opened.engine.search(query, { k: 30, ef: 400 }));
        expect(new Set(found.ordinals).size).toBe(found.ordinals.length);
        for (const ordinal of found.ordinals) expect(opened.engine.vector(ordinal)).toBeDefined();
      }
      await opened.engine.close();
    }),
    { numRuns: 400 },
  );
  expect(refused).toBeGreaterThan(20);
}, 90_000);

it.skipIf(process.platform !== "linux")(
  "keeps the last save where the disk takes no more of any file, and saves again when it does",
  async () => {
    const place = join(root, "full");
    await saveShards(engine, place, settings);
    const before = (await readdir(place)).sort();
    const sizes = KINDS.map((kind) => before.find((name) => name.endsWith(kind)) as string);
    const bytes = await Promise.all(sizes.map(async (name) => (await readFile(join(place, name))).length));
    const limit = (size: string): Buffer => execFileSync("prlimit", ["--pid", String(process.pid), `--fsize=${size}:`]);
    try {
      for (const size of bytes) {
        limit(String(size - 1));
        await expect(saveShards(engine, place, settings)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
        expect((await engine.search(town.listener(), { k: 10 })).ordinals.length).toBe(10);
      }
    } finally {
      limit("unlimited");
    }
    // The next save, or this one, leaves nothing of those that failed.
    const last = await openShards(place, { ordinalsOf });
    expect(last.engine.size).toBe(ROWS + 10);
    await last.engine.close();
    await saveShards(engine, place, settings);
    expect((await readdir(place)).length).toBe(before.length);
  },
);

it.skipIf(process.platform !== "linux")(
  "goes on with the old graph where a build is refused its memory",
  async () => {
    // A process of its own, whose address space is limited once the rows are in: a copy of them has no room.
    const code = `
    const { execFileSync } = require("node:child_process");
    const { readFileSync } = require("node:fs");
    const index = require(${JSON.stringify(addonPath())}).createVectorIndex({ dims: 1024, metric: "cosine", storage: "float16",
      shards: 1, driftCosine: 0.9, ef: 64, scanRowsPerEf: 0, generation: 0 });
    const vectors = Float32Array.from({ length: 1000 * 1024 }, (_, i) => Math.sin((i + 1) ** 1.5));
    const put = (first, count) => index.upsert(Uint32Array.from({ length: count }, (_, i) => first + i), vectors.subarray(0, count * 1024));
    const find = () => index.search(index.vector(7), 1, 0, undefined, undefined, 0, false);
    const limit = (bytes) => execFileSync("prlimit", ["--pid", String(process.pid), "--as=" + bytes + ":"]);
    (async () => {
      put(0, 300);
      const first = await index.build(0, 8, 20, 1);
      await index.verify(first, 10, 10, 0, 1);
      await index.publish(first, 0);
      for (let at = 300; at < 30300; at += 1000) put(at, 1000);
      await Promise.all([find(), find(), find(), find()]);
      const used = Number(/VmSize:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024;
      limit(used + 60e6);
      const refused = await index.build(0, 8, 20, 1).then(() => "built", (error) => error.code);
      const found = await find();
      limit("unlimited");
      const { shards, swaps } = index.stats();
      console.log(refused, found.ordinals[0], shards[0].nodes, shards[0].building, swaps);
    })();`;
    const { stdout } = await promisify(execFile)(process.execPath, ["-e", code], { timeout: 60_000 });
    expect(stdout.trim()).toBe("OUT_OF_MEMORY 7 300 false 1");
  },
  70_000,
);
