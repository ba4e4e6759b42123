import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ItemShards, type ItemShardsSettings, isTrained } from "../../index/item-shards.js";
import { MemoryReadModel } from "../../index/read-model/memory-read-model.js";
import { ItemTables } from "../../models/item-vectors/item-tables.js";
import { NO_ORDINAL } from "../../native/vector-index.js";
import type { ItemComparison, ItemVectors } from "../../schemas/catalogue.js";
import type { Generation, ItemId, Offset, Partition } from "../../schemas/ids.js";
import { Oracle } from "./vector-engine/conformance.js";
import { listeners, randomOf, upTo } from "./vector-engine/listeners.js";

const DIMS = 64;
const GENERATION = 5 as Generation;
const positions = new Map([[0 as Partition, 9 as Offset]]);
const town = listeners(DIMS, 3);
const ids = (count: number, from = 0): ItemId[] => Array.from({ length: count }, (_, i) => `song:${from + i}` as ItemId);

const opened: ItemShards[] = [];
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "kindred-items-"));
});
afterEach(async () => {
  for (const shards of opened.splice(0)) await shards.close();
  await rm(directory, { recursive: true, force: true });
});

/** A model of some items: outputs point where inputs do, with lengths as popularity has them. */
function modelOf(count: number, itemsBy: ItemComparison = "input-cosine"): ItemVectors {
  const random = randomOf(count);
  const inputs = town.rows(count, 1);
  const lengths = Array.from({ length: count }, () => Math.exp(random() * 3));
  const outputs = inputs.map((x, i) => x * lengths[Math.floor(i / DIMS)]!);
  return new ItemTables({ items: ids(count), dims: DIMS, inputs, outputs, itemsBy });
}

function settingsOf(vectors: ItemVectors, more: Partial<ItemShardsSettings> = {}): ItemShardsSettings {
  if (!isTrained(vectors)) throw new Error("no outputs");
  return { generation: GENERATION, vectors, ...more };
}

function created(settings: ItemShardsSettings): ItemShards {
  const shards = ItemShards.create(settings);
  opened.push(shards);
  return shards;
}

/** A read model that numbers these items, in this order. */
function knowing(items: readonly ItemId[]): MemoryReadModel {
  const model = new MemoryReadModel();
  const put = (more: readonly ItemId[]): void =>
    model.putItemInfo(
      more,
      more.map(() => "{}"),
    );
  put(items);
  return model;
}

/** The truth, by ordinal. */
function oracleOf(vectors: ItemVectors, model: MemoryReadModel): Oracle {
  const oracle = new Oracle(DIMS, "inner-product");
  model.itemIds(upTo(model.itemCount())).forEach((item, ordinal) => {
    const vector = vectors.outputs?.vector(item);
    if (vector !== undefined) oracle.upsert(Uint32Array.of(ordinal), vector);
  });
  return oracle;
}

describe("ItemShards", () => {
  it("gives items their vectors as the read model numbers them", async () => {
    const vectors = modelOf(300);
    const shards = created(settingsOf(vectors));
    const model = knowing([...ids(100, 50), "unknown to the model" as ItemId]);
    expect(shards.follow(model)).toBe(100);
    expect(shards.follow(model)).toBe(0);
    expect([shards.outputs.size, shards.alike.size]).toEqual([100, 100]);
    model.putItemInfo(ids(10), new Array(10).fill("{}"));
    expect(shards.follow(model)).toBe(10);
    const newest = model.itemOrdinal("song:3" as ItemId)!;
    expect(shards.outputs.vector(newest)).toEqual(vectors.outputs?.vector("song:3" as ItemId));
    expect(shards.generation).toBe(GENERATION);
    expect(shards.stats().map(({ name, engine }) => [name, engine.metric, engine.generation])).toEqual([
      ["outputs", "inner-product", GENERATION],
      ["inputs", "cosine", GENERATION],
    ]);
  });

  it("scores a pooled user by inner product, lengths counted, and compares items by the cosine of their inputs", async () => {
    const vectors = modelOf(200);
    const model = knowing(ids(200));
    const shards = created(settingsOf(vectors));
    shards.follow(model);
    const oracle = oracleOf(vectors, model);
    const query = town.listener();
    const answer = await shards.outputs.search(query, { k: 20 });
    oracle.expectSound(query, answer);
    expect(oracle.recall(query, 20, answer)).toBe(1);
    const near = await shards.alike.searchFrom(7, { k: 5 });
    expect(near.ordinals[0]).toBe(7);
    expect(near.scores[0]).toBeCloseTo(1, 5);
  });

  it("has one table where the model compares items by their outputs", async () => {
    const shards = created(settingsOf(modelOf(50, "output-inner-product")));
    shards.follow(knowing(ids(50)));
    expect(shards.alike).toBe(shards.outputs);
    expect(shards.stats().map(({ name }) => name)).toEqual(["outputs"]);
  });

  it("finds an item that gets a vector later, at once, and keeps it; one that is removed no longer", async () => {
    const shards = created(settingsOf(modelOf(50)));
    const model = knowing([...ids(50), "new" as ItemId]);
    shards.follow(model);
    const vector = town.listener();
    const strong = vector.map((x) => x * 1000);
    shards.upsert({ ordinals: Uint32Array.of(50), outputs: strong, inputs: vector });
    model.putItemInfo(["newer" as ItemId], ["{}"]);
    shards.follow(model);
    expect([...(await shards.outputs.search(vector, { k: 1 })).ordinals]).toEqual([50]);
    expect([...(await shards.alike.search(vector, { k: 1 })).ordinals]).toEqual([50]);
    shards.remove(Uint32Array.of(50));
    expect([...(await shards.outputs.search(vector, { k: 60 })).ordinals]).not.toContain(50);
    expect([shards.outputs.size, shards.alike.size]).toEqual([50, 50]);
  });

  it("refuses a batch as a whole where one of its tables is wrong", () => {
    const shards = created(settingsOf(modelOf(10)));
    const vector = town.listener();
    for (const inputs of [new Float32Array(3), vector.map(() => Number.NaN)])
      expect(() => shards.upsert({ ordinals: Uint32Array.of(0), outputs: vector, inputs })).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    expect([shards.outputs.size, shards.alike.size]).toEqual([0, 0]);
  });

  it("builds graphs and swaps them in under searches, none of which fails or gets worse", async () => {
    const vectors = modelOf(4000);
    const model = knowing(ids(4000));
    const swaps: number[] = [];
    const shards = created(
      settingsOf(vectors, {
        engine: { scanRowsPerEf: 0 },
        publisher: { limits: { minRows: 1000 }, restRatio: 0, verify: { samples: 32 }, onSwap: ({ nodes }) => swaps.push(nodes) },
      }),
    );
    shards.follow(model);
    const oracle = oracleOf(vectors, model);
    const recalls: number[] = [];
    let swapping = true;
    const swapped = shards.check().finally(() => {
      swapping = false;
    });
    while (swapping || recalls.length < 60) {
      const query = town.listener();
      const answer = await shards.outputs.search(query, { k: 50 });
      oracle.expectSound(query, answer);
      recalls.push(oracle.recall(query, 50, answer));
    }
    await swapped;
    expect(swaps.length).toBe(2);
    expect(shards.stats().every(({ engine, publisher }) => engine.stats().swaps === 1 && publisher.failures === 0)).toBe(true);
    expect(recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length).toBeGreaterThanOrEqual(0.95);
  });
});

describe("saved item shards", () => {
  const save = (shards: ItemShards, model: MemoryReadModel): Promise<void> =>
    shards.save(directory, { positions, idsOf: (ordinals) => model.itemIds(ordinals) });
  const reopen = async (settings: ItemShardsSettings, model: MemoryReadModel): Promise<ItemShards | undefined> => {
    const shards = await ItemShards.open(directory, settings, (items) =>
      Uint32Array.from(items, (item) => model.itemOrdinal(item as ItemId) ?? NO_ORDINAL),
    );
    if (shards) opened.push(shards);
    return shards;
  };

  async function filled(vectors: ItemVectors, model: MemoryReadModel): Promise<ItemShards> {
    const shards = created(settingsOf(vectors, { publisher: { limits: { minRows: 500 }, restRatio: 0 } }));
    shards.follow(model);
    await shards.check();
    return shards;
  }

  it("reopen with their graphs under other ordinals, and are completed from the model", async () => {
    const vectors = modelOf(900);
    const before = knowing(ids(800));
    const shards = await filled(vectors, before);
    shards.upsert({ ordinals: Uint32Array.of(0), outputs: new Float32Array(DIMS).fill(9), inputs: new Float32Array(DIMS).fill(1) });
    await save(shards, before);
    const after = knowing([...ids(900)].reverse());
    const again = (await reopen(settingsOf(vectors), after))!;
    expect(again.hasGraphs).toBe(true);
    expect(again.outputs.size).toBe(800);
    expect(again.follow(after)).toBe(100);
    expect(again.outputs.vector(after.itemOrdinal("song:0" as ItemId)!)).toEqual(new Float32Array(DIMS).fill(9));
    const query = town.listener();
    const names = async (from: ItemShards, model: MemoryReadModel, known: ReadonlySet<string>): Promise<string[]> =>
      model.itemIds((await from.outputs.search(query, { k: 900 })).ordinals).filter((item) => known.has(item));
    const known = new Set<string>(ids(800));
    expect(await names(again, after, known)).toEqual(await names(shards, before, known));
  });

  it("are not written again where nothing changed", async () => {
    const model = knowing(ids(50));
    const shards = await filled(modelOf(50), model);
    await save(shards, model);
    const files = await readdir(directory, { recursive: true });
    await save(shards, model);
    expect(await readdir(directory, { recursive: true })).toEqual(files);
    shards.remove(Uint32Array.of(3));
    await save(shards, model);
    expect(await readdir(directory, { recursive: true })).not.toEqual(files);
  });

  it("are nothing where nothing was saved, and refused where they are of another space or damaged", async () => {
    const vectors = modelOf(50);
    const model = knowing(ids(50));
    expect(await reopen(settingsOf(vectors), model)).toBeUndefined();
    const shards = await filled(vectors, model);
    await save(shards, model);
    const corrupt = { code: "SHARD_CORRUPT" };
    await expect(reopen(settingsOf(vectors, { generation: 6 as Generation }), model)).rejects.toMatchObject(corrupt);
    await expect(reopen(settingsOf(vectors, { engine: { shards: 2 } }), model)).rejects.toMatchObject(corrupt);
    await expect(reopen(settingsOf(vectors, { engine: { storage: "float16" } }), model)).rejects.toMatchObject(corrupt);
    await writeFile(join(directory, "inputs", "manifest.json"), "{}");
    await expect(reopen(settingsOf(vectors), model)).rejects.toMatchObject(corrupt);
    await rm(join(directory, "inputs"), { recursive: true });
    expect(await reopen(settingsOf(vectors), model)).toBeUndefined();
  });

  it("a save that fails is made up for by the next", async () => {
    const model = knowing(ids(50));
    const shards = await filled(modelOf(50), model);
    const failing = shards.save(directory, {
      positions,
      idsOf: () => {
        throw new Error("no ids");
      },
    });
    await expect(failing).rejects.toThrow("no ids");
    await save(shards, model);
    expect((await reopen(settingsOf(modelOf(50)), model))?.outputs.size).toBe(50);
  });
});
