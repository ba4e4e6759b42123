import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { allHave, IndexFiles } from "../../index/index-files.js";
import { NativeReadModel } from "../../index/read-model/native-read-model.js";
import { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import type { GenerationRef } from "../../schemas/catalogue.js";
import type { EpochMs, Generation, Offset, Partition } from "../../schemas/ids.js";
import type { Position } from "../../schemas/position.js";
import { row, user } from "./read-model/random-batches.js";

const PARTITION = 0 as Partition;
const ref = (seed: number): GenerationRef => ({ generation: 0 as Generation, kind: "random-indexing", dims: 8, seed });

let root: string;
let model: NativeReadModel;
let engine: EmbeddedEngine;
interface Saved {
  readonly model: NativeReadModel;
  readonly engine: EmbeddedEngine;
  readonly position: Position;
}
let reopened: Saved | undefined;

/** Rows and vectors as they were saved; undefined unless both were. */
async function open(files: IndexFiles, of: GenerationRef): Promise<Saved | undefined> {
  const saved = await files.openModel();
  if (!saved) return undefined;
  try {
    const users = await files.openUsers(of, {}, saved);
    if (users) return { model: saved, engine: users.engine, position: allHave([saved.applied().position, users.position]) };
  } catch (error) {
    saved.close();
    throw error;
  }
  saved.close();
  return undefined;
}
const save = (files: IndexFiles, of: GenerationRef, rows = model): Promise<Position> =>
  files.save(rows, [{ ref: of, users: engine, items: undefined }]);
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
  const files = new IndexFiles(root);
  expect(await open(files, ref(7))).toBeUndefined();
  expect([...(await save(files, ref(7)))]).toEqual([[PARTITION, 41]]);
  reopened = (await open(files, ref(7))) as Saved;
  expect([...reopened.position]).toEqual([[PARTITION, 41]]);
  for (const id of ["u:1", "u:2", "u:3"]) {
    const [before, after] = [model.userOrdinal(user(id)), reopened.model.userOrdinal(user(id))];
    expect(reopened.engine.vector(after as number)).toEqual(engine.vector(before as number));
  }
});

it("says for each partition up to where all of it is in the files", async () => {
  const files = new IndexFiles(root);
  model.setApplied(3 as Partition, 9 as Offset, 1 as EpochMs);
  await save(files, ref(7));
  // Saved again, but ended between vectors and rows: of partition 5 only the vectors' files know.
  model.setApplied(5 as Partition, 2 as Offset, 1 as EpochMs);
  model.setApplied(3 as Partition, 12 as Offset, 1 as EpochMs);
  const ended = {
    ...model,
    applied: () => model.applied(),
    userIds: (ordinals: Uint32Array) => model.userIds(ordinals),
    save: () => Promise.reject(new Error("killed")),
  };
  await expect(save(files, ref(7), ended as unknown as NativeReadModel)).rejects.toThrow("killed");
  reopened = (await open(files, ref(7))) as Saved;
  expect([...reopened.position].sort()).toEqual([
    [0, 41],
    [3, 9],
    [5, 0],
  ]);
});

it("never opens the files of other item vectors; those of several generations lie beside each other, and go when they are live no more", async () => {
  const files = new IndexFiles(root);
  await save(files, ref(7));
  expect(await open(files, ref(8))).toBeUndefined();
  const trained = { generation: 1 as Generation, kind: "item2vec", dims: 8, seed: 7, folder: "1-0f1e2d3c4b5a6978" };
  const spaces = [ref(7), trained].map((one) => ({ ref: one, users: engine, items: undefined }));
  await files.save(model, spaces);
  expect((await readdir(root)).sort()).toEqual(["0-random-indexing-8-7", "1-item2vec-8-7-0f1e2d3c4b5a6978", "rows"]);
  await save(files, trained);
  expect((await readdir(root)).sort()).toEqual(["1-item2vec-8-7-0f1e2d3c4b5a6978", "rows"]);
});

it("leaves nothing of the rows where an earlier version had them", async () => {
  const files = new IndexFiles(root);
  const folder = join(root, "0-random-indexing-8-7");
  await mkdir(folder);
  await writeFile(join(folder, "read-model.bin"), "somebody who is erased since");
  expect(await open(files, ref(7))).toBeUndefined();
  await save(files, ref(7));
  expect(await readdir(folder)).not.toContain("read-model.bin");
});

it("says which file is damaged, and saves anew over it", async () => {
  const files = new IndexFiles(root);
  await save(files, ref(7));
  const folder = join(root, "0-random-indexing-8-7");
  const damaged = (await readdir(folder)).find((name) => name.endsWith(".rows")) as string;
  await truncate(join(folder, damaged), 30);
  await expect(open(files, ref(7))).rejects.toMatchObject({ code: "SHARD_CORRUPT", message: expect.stringContaining(damaged) });
  await save(files, ref(7));
  reopened = await open(files, ref(7));
  expect(reopened?.engine.size).toBe(3);
});

it("fails with STORAGE_FAILED where its folder cannot be made", async () => {
  const files = new IndexFiles(join(import.meta.filename, "nowhere"));
  await expect(save(files, ref(7))).rejects.toMatchObject({ code: "STORAGE_FAILED" });
});
