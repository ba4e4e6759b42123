// Someone who has Faiss and docs/FILES.md, and not kindred.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { saveShards } from "../../../index/shards/shard-files.js";
import { EmbeddedEngine, type EmbeddedEngineSettings } from "../../../index/vector-engine/embedded-engine.js";
import type { Metric } from "../../../schemas/ports/read-model.js";
import { GENERATION } from "../vector-engine/conformance.js";
import { type Listeners, listeners, upTo } from "../vector-engine/listeners.js";

const DIMS = 30;
const root = join(import.meta.dirname, "..", "..", "..");
const run = promisify(execFile);
const idOf = (ordinal: number): string => `übung:${ordinal}`;

let python: string;
let directory: string;
let engine: EmbeddedEngine;
beforeAll(async () => {
  const { stdout } = await run(process.execPath, [join(root, "setup", "python.mjs"), "test/requirements.txt"]);
  python = stdout.trim();
}, 300_000);
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "kindred-faiss-"));
});
afterEach(async () => {
  await engine.close();
  await rm(directory, { recursive: true, force: true });
});

/** A graph with a crowd of one vector in it, then some who moved far, moved a little, and left. */
async function saved(metric: Metric, town: Listeners, more: Partial<EmbeddedEngineSettings>): Promise<void> {
  engine = EmbeddedEngine.create({ dims: DIMS, metric, generation: GENERATION, scanRowsPerEf: 0, ...more });
  engine.upsert({ ordinals: upTo(1500), vectors: town.rows(1500) });
  const crowd = town.listener(1);
  for (let i = 0; i < 12; i++) engine.upsert({ ordinals: Uint32Array.of(1500 + i), vectors: crowd });
  for (let shard = 0; shard < engine.shards; shard++) await (await (await engine.stage(shard)).verify()).publish(0.9);
  engine.upsert({ ordinals: upTo(40), vectors: town.rows(40) });
  for (let i = 40; i < 80; i++) {
    engine.upsert({ ordinals: Uint32Array.of(i), vectors: town.moved(engine.vector(i) as Float32Array, 0.05) });
  }
  engine.remove(upTo(20, 100));
  await saveShards(engine, directory, { positions: new Map(), idsOf: (ordinals) => Array.from(ordinals, idOf) });
}

/** The program of the page, as it stands there. */
async function program(): Promise<string> {
  const page = await readFile(join(root, "docs", "FILES.md"), "utf8");
  const path = join(directory, "neighbours.py");
  await writeFile(path, (/```python\n([\s\S]+?)```/.exec(page) as RegExpExecArray)[1] as string);
  return path;
}

async function neighboursByFaiss(user: number, k: number): Promise<{ score: number; ordinal: number }[]> {
  const { stdout } = await run(python, [await program(), directory, idOf(user), String(k)], { env: { ...process.env, PYTHONUTF8: "1" } });
  return stdout
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .map(([score, id]) => ({ score: Number(score), ordinal: Number((id as string).slice("übung:".length)) }));
}

describe.each([
  ["cosine", 1, "float32"],
  ["cosine", 3, "float16"],
  ["inner-product", 2, "float32"],
] as const)("a graph by %s, %i shard(s), %s", (metric, shards, storage) => {
  it("is opened by Faiss, and has the neighbours that kindred finds", async () => {
    const town = listeners(DIMS, 41);
    await saved(metric, town, { shards, storage });
    // One as it was built, one who moved far, one of the crowd.
    for (const user of [700, 3, 1505]) {
      const ours = await engine.searchFrom(user, { k: 20, ef: 400, exclude: Uint32Array.of(user) });
      const theirs = await neighboursByFaiss(user, 20);
      expect(theirs.slice(0, 20).length).toBe(20);
      for (const [i, { score }] of theirs.slice(0, 20).entries()) {
        const relative = Math.abs(score - (ours.scores[i] as number)) / Math.max(1, Math.abs(score));
        expect(relative, `neighbour ${i} of ${user}`).toBeLessThan(1e-4);
      }
      const last = ours.scores[19] as number;
      const better = [...ours.ordinals].filter((_, i) => (ours.scores[i] as number) > last * 1.0001);
      expect(theirs.map(({ ordinal }) => ordinal)).toEqual(expect.arrayContaining(better));
    }
  });
});

it("where there is no graph yet the rows alone say who is near", async () => {
  const town = listeners(DIMS, 43);
  engine = EmbeddedEngine.create({ dims: DIMS, metric: "cosine", generation: GENERATION });
  engine.upsert({ ordinals: upTo(200), vectors: town.rows(200) });
  await saveShards(engine, directory, { positions: new Map(), idsOf: (ordinals) => Array.from(ordinals, idOf) });
  const ours = await engine.searchFrom(7, { k: 10, exclude: Uint32Array.of(7) });
  expect((await neighboursByFaiss(7, 10)).slice(0, 10).map(({ ordinal }) => ordinal)).toEqual([...ours.ordinals]);
});
