import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ItemTables, type SharedTables } from "../../../models/item-vectors/item-tables.js";
import { ModelStore } from "../../../models/item-vectors/model-store.js";
import type { Generation, ItemId } from "../../../schemas/ids.js";
import { randomModel, writeModel } from "../../harness/made-model.js";

const ONE = 1 as Generation;
const items = ["song:1", "song:2", "podcast:ü"] as ItemId[];

describe("ModelStore", () => {
  let root = "";
  let store: ModelStore;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "kindred-models-"));
    store = new ModelStore(join(root, "models"));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it("keeps a copy under a name that says what it is, which is read again when the folder is long gone", async () => {
    const folder = await randomModel(root, items, 3);
    const ref = await store.take(await store.examine(folder), ONE);
    expect(ref).toEqual({ generation: 1, dims: 16, kind: "item2vec", seed: 3, folder: expect.stringMatching(/^1-[0-9a-f]{16}$/) });
    const first = await store.tables(ref);
    await rm(folder, { recursive: true });
    const again = await new ModelStore(store.directory).tables(ref);
    for (const item of [...items, "song:3" as ItemId]) {
      expect(again.vector(item)).toEqual(first.vector(item));
      expect(again.outputs?.vector(item)).toEqual(first.outputs?.vector(item));
    }
    expect(first.vector("song:3" as ItemId)).toBeUndefined();
  });

  it("says which generation lacks its folder, and what helps", async () => {
    const ref = await store.take(await store.examine(await randomModel(root, items, 3)), ONE);
    const folder = join(store.directory, ref.folder as string);
    await rename(folder, join(root, "backup"));
    const fresh = new ModelStore(store.directory);
    await expect(fresh.tables(ref)).rejects.toMatchObject({
      code: "MODEL_INVALID",
      where: folder,
      message: expect.stringMatching(/generation 1 .*restore this folder from a backup/),
    });
    await rename(join(root, "backup"), folder);
    expect((await fresh.tables(ref)).vector("song:1" as ItemId)).toBeDefined();
  });

  it("knows the same model by its hash, and another one", async () => {
    const [one, same, other] = await Promise.all(
      [join(root, "a"), join(root, "b"), join(root, "c")].map((directory, i) => randomModel(directory, items, i < 2 ? 3 : 4)),
    );
    const hashes = await Promise.all([one, same, other].map(async (folder) => (await store.examine(folder as string)).hash));
    expect(hashes[0]).toBe(hashes[1]);
    expect(hashes[0]).not.toBe(hashes[2]);
  });

  it("never takes one model for another: by name, by content, by a name that is none of its own", async () => {
    const refs = [
      await store.take(await store.examine(await randomModel(root, items, 3)), ONE),
      await store.take(await store.examine(await randomModel(root, items, 4)), 2 as Generation),
    ] as const;
    await rm(join(store.directory, refs[0].folder as string), { recursive: true });
    await rename(join(store.directory, refs[1].folder as string), join(store.directory, refs[0].folder as string));
    const fresh = new ModelStore(store.directory);
    for (const ref of [refs[0], refs[1], { ...refs[1], folder: "../model-4" }])
      await expect(fresh.tables(ref)).rejects.toMatchObject({ code: "MODEL_INVALID" });
    // Tried anew, once it is mended.
    await rename(join(store.directory, refs[0].folder as string), join(store.directory, refs[1].folder as string));
    expect((await fresh.tables(refs[1])).vector("song:1" as ItemId)).toBeDefined();
  });

  it("gives outputs length 1 where a model scores by cosine", async () => {
    const table = (...values: number[]) => ({ dims: 8, values: Float32Array.from({ length: 24 }, (_, i) => values[i] ?? 0) });
    const folder = await writeModel(join(root, "cosine"), { items, input: table(1), output: table(3, 4), score: "cosine" });
    const { outputs } = await store.tables(await store.take(await store.examine(folder), ONE));
    const [first, second] = [outputs?.vector("song:1" as ItemId), outputs?.vector("song:2" as ItemId)];
    expect([first?.[0], first?.[1]]).toEqual([Math.fround(0.6), Math.fround(0.8)]);
    expect(second).toBeUndefined();
  });

  it("deletes what is not asked for, and nothing else", async () => {
    const ref = await store.take(await store.examine(await randomModel(root, items, 3)), ONE);
    const left = `2-${"0".repeat(16)}`;
    for (const name of [left, `${left}.0123456789ab`, "of somebody"]) await mkdir(join(store.directory, name));
    await writeFile(join(store.directory, left, "input.npy"), "");
    await store.keepOnly(new Set([ref.folder as string]));
    expect((await readdir(store.directory)).sort()).toEqual([ref.folder, "of somebody"]);
  });

  it("hands tables to another thread without a copy", async () => {
    const { shared } = await store.tables(await store.take(await store.examine(await randomModel(root, items, 3)), ONE));
    const worker = new Worker(
      `const { parentPort } = require("node:worker_threads");
       parentPort.once("message", (shared) => { shared.inputs[0] = 77; parentPort.postMessage("done"); });`,
      { eval: true },
    );
    await new Promise((resolve) => {
      worker.once("message", resolve);
      worker.postMessage(shared satisfies SharedTables);
    });
    await worker.terminate();
    expect(new ItemTables(shared).vector("song:1" as ItemId)?.[0]).toBe(77);
  });
});
