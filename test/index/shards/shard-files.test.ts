import { mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openShards, saveShards } from "../../../index/shards/shard-files.js";
import { EmbeddedEngine } from "../../../index/vector-engine/embedded-engine.js";
import { NO_ORDINAL } from "../../../native/vector-index.js";
import type { Offset, Partition } from "../../../schemas/ids.js";
import { GENERATION } from "../vector-engine/conformance.js";
import { listeners, randomOf, upTo } from "../vector-engine/listeners.js";

const DIMS = 32;
const town = listeners(DIMS, 31);
const positions = new Map([[0 as Partition, 4711 as Offset]]);
const idOf = (ordinal: number): string => `user:${ordinal}`;
const idsOf = (ordinals: Uint32Array): string[] => Array.from(ordinals, idOf);
/** Other ordinals than those that were saved: they are numbers of a process. */
const mirrored = (ids: readonly string[]): Uint32Array => Uint32Array.from(ids, (id) => 9999 - Number(id.slice(5)));

let directory: string;
const opened: EmbeddedEngine[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "kindred-shards-"));
});
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.close();
  await rm(directory, { recursive: true, force: true });
});

async function filled(shards = 1, storage: "float32" | "float16" = "float32"): Promise<EmbeddedEngine> {
  const engine = EmbeddedEngine.create({ dims: DIMS, metric: "cosine", generation: GENERATION, shards, storage, scanRowsPerEf: 0 });
  opened.push(engine);
  engine.upsert({ ordinals: upTo(2000), vectors: town.rows(2000) });
  const crowd = town.listener(1);
  for (let i = 0; i < 30; i++) engine.upsert({ ordinals: Uint32Array.of(2000 + i), vectors: crowd });
  for (let shard = 0; shard < shards; shard++) await (await (await engine.stage(shard)).verify()).publish(0.9);
  // New, drifted and removed ones beside the graph.
  engine.upsert({ ordinals: upTo(40, 2040), vectors: town.rows(40) });
  engine.upsert({ ordinals: upTo(20), vectors: town.rows(20) });
  engine.remove(upTo(15, 100));
  return engine;
}

async function reopen(ordinalsOf = mirrored): Promise<EmbeddedEngine> {
  const { engine, manifest } = await openShards(directory, { ordinalsOf, scanRowsPerEf: 0 });
  opened.push(engine);
  expect(manifest.positions).toEqual(positions);
  return engine;
}

it.each([
  [1, "float32"],
  [3, "float32"],
  [1, "float16"],
] as const)("reopens what it saved without building: %i shard(s) of %s", async (shards, storage) => {
  const engine = await filled(shards, storage);
  await saveShards(engine, directory, { positions, idsOf });
  const again = await reopen();
  expect([again.size, again.dims, again.metric, again.generation, again.shards]).toEqual([engine.size, DIMS, "cosine", GENERATION, shards]);
  const [before, after] = [engine.stats(), again.stats()];
  for (let shard = 0; shard < shards; shard++) {
    const { rows, nodes } = before.shards[shard] as { rows: number; nodes: number };
    expect(after.shards[shard]).toMatchObject({ rows, nodes });
  }
  expect(after.bucketMembers).toBe(before.bucketMembers);
  for (let ordinal = 0; ordinal < 2090; ordinal++) expect(again.vector(9999 - ordinal)).toEqual(engine.vector(ordinal));
  for (let i = 0; i < 20; i++) {
    const query = town.listener();
    const [a, b] = [await engine.search(query, { k: 50, ef: 300 }), await again.search(query, { k: 50, ef: 300 })];
    expect(b.scores).toEqual(a.scores);
  }
});

it("scans the longest first again after it was reopened", async () => {
  const random = randomOf(4);
  const lengths = Array.from({ length: 3000 }, () => 10 ** (8 * random()));
  const rows = town.rows(3000, 1).map((x, i) => x * lengths[Math.floor(i / DIMS)]!);
  const engine = EmbeddedEngine.create({ dims: DIMS, metric: "inner-product", generation: GENERATION, scanRowsPerEf: 0 });
  opened.push(engine);
  engine.upsert({ ordinals: upTo(3000), vectors: rows });
  // A graph that by itself finds little.
  await (await (await engine.stage(0, { m: 2, efConstruction: 8 })).verify()).publish(0);
  await saveShards(engine, directory, { positions, idsOf });
  const again = await reopen();
  for (let i = 0; i < 20; i++) {
    const query = town.listener();
    const [answer, exact] = [await again.search(query, { k: 50, ef: 50 }), await again.searchExact(query, { k: 50 })];
    expect(answer).toEqual(exact);
  }
});

it("goes on living after it was reopened: upserts, removes and the next build", async () => {
  await saveShards(await filled(), directory, { positions, idsOf });
  const again = await reopen();
  const far = town.listener().map((x) => -x);
  again.upsert({ ordinals: Uint32Array.of(9999, 1), vectors: Float32Array.of(...far, ...far) });
  expect([...(await again.search(far, { k: 2 })).ordinals]).toEqual([1, 9999]);
  again.remove(Uint32Array.of(9999));
  await (await (await again.stage(0)).verify()).publish(0.9);
  expect([...(await again.search(far, { k: 1 })).ordinals]).toEqual([1]);
  expect(again.stats().shards[0]).toMatchObject({ fresh: 0, removed: 0 });
});

it("leaves out rows of the erased, whether they were unknown when saving or when opening", async () => {
  const engine = await filled();
  await saveShards(engine, directory, {
    positions,
    idsOf: (ordinals) => Array.from(ordinals, (ordinal) => (ordinal === 500 ? null : idOf(ordinal))),
  });
  const again = await reopen((ids) => Uint32Array.from(mirrored(ids), (ordinal, i) => (ids[i] === idOf(501) ? NO_ORDINAL : ordinal)));
  expect(again.size).toBe(engine.size - 2);
  expect([again.vector(9999 - 500), again.vector(9999 - 501)]).toEqual([undefined, undefined]);
  expect(again.vector(9999 - 502)).toBeDefined();
});

it("saves an engine without a graph, and an empty one", async () => {
  for (const rows of [0, 70]) {
    const engine = EmbeddedEngine.create({ dims: DIMS, metric: "inner-product", generation: GENERATION });
    opened.push(engine);
    if (rows > 0) engine.upsert({ ordinals: upTo(rows), vectors: town.rows(rows) });
    await saveShards(engine, directory, { positions, idsOf });
    expect((await reopen()).size).toBe(rows);
  }
});

it("keeps one complete set: a second save replaces the first, and one that fails leaves it", async () => {
  const engine = await filled();
  await saveShards(engine, directory, { positions, idsOf });
  await writeFile(join(directory, "not-ours.txt"), "stays");
  await saveShards(engine, directory, { positions, idsOf });
  expect((await readdir(directory)).length).toBe(6);
  const refused = saveShards(engine, directory, {
    positions,
    idsOf: () => {
      throw new Error("no ids");
    },
  });
  await expect(refused).rejects.toThrow("no ids");
  expect((await reopen()).size).toBe(engine.size);
  expect((await readdir(directory)).length).toBe(6);
  const [one, two] = await Promise.allSettled([
    saveShards(engine, directory, { positions, idsOf }),
    saveShards(engine, directory, { positions, idsOf }),
  ]);
  expect([one.status, two.status]).toEqual(["fulfilled", "rejected"]);
  await writeFile(join(directory, "file"), "");
  await expect(saveShards(engine, join(directory, "file"), { positions, idsOf })).rejects.toMatchObject({ code: "STORAGE_FAILED" });
});

it("refuses every file that is missing, cut short, longer or has one bit flipped, by its name", async () => {
  await saveShards(await filled(), directory, { positions, idsOf });
  const names = (await readdir(directory)).sort();
  expect(names.map((name) => name.split(".").at(-1))).toEqual(expect.arrayContaining(["rows", "graph", "nodes", "ids", "json"]));
  for (const name of names) {
    const path = join(directory, name);
    const good = await readFile(path);
    const refused = async (): Promise<void> => {
      await expect(openShards(directory, { ordinalsOf: mirrored })).rejects.toMatchObject({
        code: "SHARD_CORRUPT",
        message: expect.stringContaining(name),
      });
    };
    for (const at of [0, 9, Math.floor(good.length / 2), good.length - 2]) {
      const flipped = Buffer.from(good);
      flipped[at] = (flipped[at] as number) ^ 4;
      await writeFile(path, flipped);
      await refused();
    }
    await writeFile(path, Buffer.concat([good, Buffer.of(1)]));
    if (name !== "manifest.json") await refused();
    await writeFile(path, good);
    await truncate(path, (await stat(path)).size >> 1);
    await refused();
    await rename(path, `${path}.away`);
    await refused();
    await rm(`${path}.away`);
    await writeFile(path, good);
  }
  expect((await reopen()).size).toBeGreaterThan(2000);
});

it("saves while upserts and searches go on", async () => {
  const engine = await filled();
  const saving = saveShards(engine, directory, { positions, idsOf });
  for (let i = 0; i < 200; i++) {
    engine.upsert({ ordinals: upTo(50, (i * 50) % 2000), vectors: town.rows(50) });
    expect((await engine.search(town.listener(), { k: 10 })).ordinals.length).toBe(10);
  }
  await saving;
  // Those removed before may have come back while it was saved.
  const { size } = await reopen();
  expect(size).toBeGreaterThanOrEqual(2055);
  expect(size).toBeLessThanOrEqual(2070);
});
