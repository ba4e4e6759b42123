import { mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { IndexFiles, type SavedIndex } from "../../index/index-files.js";
import { NativeReadModel } from "../../index/read-model/native-read-model.js";
import { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import type { GenerationRef } from "../../schemas/catalogue.js";
import type { EpochMs, Generation, Offset, Partition } from "../../schemas/ids.js";
import { row, user } from "./read-model/random-batches.js";

const PARTITION = 0 as Partition;
const ref = (seed: number): GenerationRef => ({ generation: 0 as Generation, kind: "random-indexing", dims: 8, seed });

let root: string;
let model: NativeReadModel;
let engine: EmbeddedEngine;
let reopened: SavedIndex | undefined;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "kindred-index-files-"));
  model = NativeReadModel.create();
  engine = EmbeddedEngine.create({ dims: 8, metric: "cosine", generation: 0 as Generation });
  const rows = ["u:1", "u:2", "u:3"].map((id) => row(id, { a: 1 }));
  const ordinals = model.apply({ partition: PARTITION, offset: 40 as Offset, eventTime: 1 as EpochMs, rows, erased: [] });
  engine.upsert({ ordinals, vectors: Float32Array.from({ length: 24 }, (_, i) => Math.sin(i + 1)) });
  model.setApplied(PARTITION, 41 as Offset, 1 as EpochMs);
});
afterEach(async () => {
  reopened?.model.close();
  await reopened?.engine.close();
  reopened = undefined;
  model.close();
  await engine.close();
  await rm(root, { recursive: true, force: true });
});

it("opens what it saved: each user's vector under the user's ordinal, and from where to catch up", async () => {
  const files = new IndexFiles(root, ref(7));
  expect(await files.open({})).toBeUndefined();
  expect([...(await files.save(model, engine))]).toEqual([[PARTITION, 41]]);
  reopened = (await files.open({})) as SavedIndex;
  expect([...reopened.position]).toEqual([[PARTITION, 41]]);
  for (const id of ["u:1", "u:2", "u:3"]) {
    const [before, after] = [model.userOrdinal(user(id)), reopened.model.userOrdinal(user(id))];
    expect(reopened.engine.vector(after as number)).toEqual(engine.vector(before as number));
  }
});

it("says for each partition up to where all of it is in the files", async () => {
  const files = new IndexFiles(root, ref(7));
  model.setApplied(3 as Partition, 9 as Offset, 1 as EpochMs);
  await files.save(model, engine);
  // Saved again, but ended between vectors and rows: of partition 5 only the vectors' files know.
  model.setApplied(5 as Partition, 2 as Offset, 1 as EpochMs);
  model.setApplied(3 as Partition, 12 as Offset, 1 as EpochMs);
  const ended = {
    ...model,
    applied: () => model.applied(),
    userIds: (ordinals: Uint32Array) => model.userIds(ordinals),
    save: () => Promise.reject(new Error("killed")),
  };
  await expect(files.save(ended as unknown as NativeReadModel, engine)).rejects.toThrow("killed");
  reopened = (await files.open({})) as SavedIndex;
  expect([...reopened.position].sort()).toEqual([
    [0, 41],
    [3, 9],
    [5, 0],
  ]);
});

it("never opens the files of other item vectors, and removes them once its own are there", async () => {
  await new IndexFiles(root, ref(7)).save(model, engine);
  const other = new IndexFiles(root, ref(8));
  expect(await other.open({})).toBeUndefined();
  await other.save(model, engine);
  expect(await readdir(root)).toEqual(["0-random-indexing-8-8"]);
});

it("says which file is damaged, and saves anew over it", async () => {
  const files = new IndexFiles(root, ref(7));
  await files.save(model, engine);
  const folder = join(root, "0-random-indexing-8-7");
  const damaged = (await readdir(folder)).find((name) => name.endsWith(".rows")) as string;
  await truncate(join(folder, damaged), 30);
  await expect(files.open({})).rejects.toMatchObject({ code: "SHARD_CORRUPT", message: expect.stringContaining(damaged) });
  await files.save(model, engine);
  reopened = await files.open({});
  expect(reopened?.engine.size).toBe(3);
});

it("fails with STORAGE_FAILED where its folder cannot be made", async () => {
  const files = new IndexFiles(join(import.meta.filename, "nowhere"), ref(7));
  await expect(files.save(model, engine)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
});
