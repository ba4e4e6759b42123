import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedEngine, type EmbeddedEngineSettings } from "../../../index/vector-engine/embedded-engine.js";
import type { Metric } from "../../../schemas/ports/read-model.js";
import { GENERATION, ITEM_DIMS, meanRecall, Oracle, vectorEngineConformance } from "./conformance.js";
import { type Listeners, listeners, randomOf, upTo } from "./listeners.js";

for (const size of [undefined, ...ITEM_DIMS]) {
  vectorEngineConformance(
    "EmbeddedEngine",
    (dims, metric) => EmbeddedEngine.create({ dims, metric, generation: GENERATION }),
    undefined,
    size,
  );
  vectorEngineConformance(
    "EmbeddedEngine of three shards that always walks",
    (dims, metric) => EmbeddedEngine.create({ dims, metric, generation: GENERATION, shards: 3, scanRowsPerEf: 0 }),
    undefined,
    size,
  );
}

const opened: EmbeddedEngine[] = [];
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.close();
});

/** One that walks its graph, however small it is. */
function walking(
  dims: number,
  metric: Metric,
  more: Partial<EmbeddedEngineSettings> = {},
): { engine: EmbeddedEngine; oracle: Oracle; put(ordinals: Uint32Array, rows: Float32Array): void } {
  const engine = EmbeddedEngine.create({ dims, metric, generation: GENERATION, scanRowsPerEf: 0, ...more });
  opened.push(engine);
  const oracle = new Oracle(dims, metric);
  return {
    engine,
    oracle,
    put: (ordinals, vectors) => {
      engine.upsert({ ordinals, vectors });
      oracle.upsert(ordinals, vectors);
    },
  };
}

async function swapAll(engine: EmbeddedEngine, minRecall = 0.9): Promise<void> {
  for (let shard = 0; shard < engine.shards; shard++) {
    const staged = await engine.stage(shard);
    await (await staged.verify({ samples: 64, k: 50 })).publish(minRecall);
  }
}

const queriesOf = (town: Listeners, count: number): Float32Array[] => Array.from({ length: count }, () => town.listener());

describe.each(["cosine", "inner-product"] as const)("a graph alone by %s", (metric) => {
  it.each([1, 3])("finds recall@50 >= .95 at the default ef, in %i shard(s)", async (shards) => {
    const town = listeners(48, 5);
    const { engine, oracle, put } = walking(48, metric, { shards, longestShare: 0 });
    put(upTo(8000), town.rows(8000));
    await swapAll(engine);
    const { shards: stats, swaps } = engine.stats();
    expect(swaps).toBe(shards);
    expect(stats.every((shard) => shard.nodes > 0 && shard.fresh === 0)).toBe(true);
    expect(await meanRecall(engine, oracle, queriesOf(town, 40))).toBeGreaterThanOrEqual(0.95);
  });
});

describe("the longest first, by inner product", () => {
  /** Rows as output vectors are: lengths over eight orders of magnitude. */
  const uneven = (town: Listeners, count: number, seed: number): Float32Array => {
    const random = randomOf(seed);
    const lengths = Array.from({ length: count }, () => 10 ** (8 * random()));
    return town.rows(count, 1).map((x, i) => x * lengths[Math.floor(i / town.dims)]!);
  };

  it.each([1, 3])("is exact where no shorter row can enter, whatever the graph, in %i shard(s)", async (shards) => {
    const town = listeners(48, 5);
    const { engine, oracle, put } = walking(48, "inner-product", { shards });
    put(upTo(6000), uneven(town, 6000, 1));
    for (let shard = 0; shard < shards; shard++) await (await (await engine.stage(shard, { m: 2, efConstruction: 8 })).verify()).publish(0);
    for (const query of queriesOf(town, 40)) {
      const answer = await engine.search(query, { k: 50, ef: 50 });
      oracle.expectSound(query, answer);
      expect(oracle.recall(query, 50, answer)).toBe(1);
    }
  });

  it("walks on where shorter rows may enter: recall@50 >= .95, nobody twice", async () => {
    const town = listeners(48, 6);
    const { engine, oracle, put } = walking(48, "inner-product", { longestShare: 0.02 });
    put(upTo(6000), town.rows(6000));
    await swapAll(engine);
    expect(await meanRecall(engine, oracle, queriesOf(town, 40))).toBeGreaterThanOrEqual(0.95);
  });

  it("scores vectors of now, once each, and keeps to the lists: moved, removed, new and left out ones", async () => {
    const town = listeners(32, 7);
    const { engine, oracle, put } = walking(32, "inner-product");
    put(upTo(3000), uneven(town, 3000, 2));
    await swapAll(engine);
    const query = town.listener();
    const best = oracle.search(query, 60).map(({ ordinal }) => ordinal);
    const gone = Uint32Array.from(best.slice(0, 5));
    engine.remove(gone);
    oracle.remove(gone);
    for (const ordinal of best.slice(5, 15))
      put(
        Uint32Array.of(ordinal),
        oracle.vectors.get(ordinal)!.map((x) => x * 3),
      );
    for (const ordinal of best.slice(15, 20))
      put(
        Uint32Array.of(ordinal),
        oracle.vectors.get(ordinal)!.map((x) => x / 1e5),
      );
    put(upTo(20, 3000), uneven(town, 20, 3));
    const exclude = Uint32Array.from(best.slice(5, 8));
    const passes = (ordinal: number): boolean => !exclude.includes(ordinal);
    const answer = await engine.search(query, { k: 50, exclude });
    oracle.expectSound(query, answer);
    expect([...answer.ordinals].every(passes)).toBe(true);
    expect(oracle.recall(query, 50, answer, passes)).toBe(1);
  });

  it("finds nobody twice, and all, where the walk under an allow-list is given up for a scan", async () => {
    const town = listeners(32, 8);
    const { engine, oracle, put } = walking(32, "inner-product");
    put(upTo(12_000), town.rows(12_000));
    await swapAll(engine);
    for (const query of queriesOf(town, 10)) {
      const farthest = oracle.search(query, 12_000).slice(-3000);
      const allow = Uint32Array.from(farthest, ({ ordinal }) => ordinal).sort();
      const allowed = new Set(allow);
      const answer = await engine.search(query, { k: 10, ef: 10, allow });
      oracle.expectSound(query, answer);
      expect(oracle.recall(query, 10, answer, (ordinal) => allowed.has(ordinal))).toBe(1);
    }
  });
});

describe("a live table under a graph", () => {
  it("scores the vectors of now: a moved, a new and a removed one are so in the next search", async () => {
    const town = listeners(32, 7);
    const { engine, oracle, put } = walking(32, "cosine");
    put(upTo(3000), town.rows(3000));
    await swapAll(engine);
    const far = town.listener().map((x) => -x);
    put(Uint32Array.of(17), far);
    put(
      Uint32Array.of(3000),
      far.map((x) => x * 1.5),
    );
    const answer = await engine.search(far, { k: 2 });
    expect([...answer.ordinals].sort((a, b) => a - b)).toEqual([17, 3000]);
    expect(answer.scores[1]).toBeCloseTo(1, 4);
    expect(engine.stats().shards[0]).toMatchObject({ rows: 3001, fresh: 2, drifted: 1 });
    engine.remove(Uint32Array.of(17));
    expect([...(await engine.search(far, { k: 1 })).ordinals]).toEqual([3000]);
    expect(engine.stats().shards[0]).toMatchObject({ rows: 3000, removed: 1 });
    oracle.remove(Uint32Array.of(17));
    expect(await meanRecall(engine, oracle, queriesOf(town, 10))).toBeGreaterThanOrEqual(0.95);
  });

  it("keeps recall@50 >= .95 while everybody moves a little and some move far", async () => {
    const town = listeners(32, 8);
    const { engine, oracle, put } = walking(32, "cosine");
    put(upTo(5000), town.rows(5000));
    await swapAll(engine);
    for (let ordinal = 0; ordinal < 5000; ordinal++) {
      put(Uint32Array.of(ordinal), town.moved(oracle.vectors.get(ordinal) as Float32Array, ordinal % 50 === 0 ? 0.9 : 0.1));
    }
    expect(engine.stats().shards[0]?.drifted).toBeGreaterThan(50);
    expect(await meanRecall(engine, oracle, queriesOf(town, 40))).toBeGreaterThanOrEqual(0.95);
    await swapAll(engine);
    expect(engine.stats().shards[0]).toMatchObject({ fresh: 0, changed: 0 });
    expect(await meanRecall(engine, oracle, queriesOf(town, 40))).toBeGreaterThanOrEqual(0.95);
  });

  it("is walked through where half of its owners are gone, the entry among them", async () => {
    const town = listeners(32, 9);
    const { engine, oracle, put } = walking(32, "cosine");
    put(upTo(4000), town.rows(4000));
    await swapAll(engine);
    const random = randomOf(1);
    const gone = upTo(4000).filter(() => random() < 0.5);
    engine.remove(gone);
    oracle.remove(gone);
    expect(await meanRecall(engine, oracle, queriesOf(town, 30))).toBeGreaterThanOrEqual(0.95);
    const rest = Uint32Array.from(oracle.vectors.keys());
    engine.remove(rest);
    expect((await engine.search(town.listener(), { k: 5 })).ordinals.length).toBe(0);
  });

  it("finds them all where hundreds have one and the same vector", async () => {
    const town = listeners(32, 10);
    const { engine, oracle, put } = walking(32, "cosine");
    put(upTo(3000), town.rows(3000));
    const crowd = town.listener(1);
    for (let i = 0; i < 600; i++)
      put(
        Uint32Array.of(3000 + i),
        crowd.map((x) => x * (1 + (i % 3))),
      );
    await swapAll(engine);
    expect(engine.stats().bucketMembers).toBeGreaterThanOrEqual(600);
    const { ordinals } = await engine.search(crowd, { k: 700 });
    expect([...ordinals].filter((ordinal) => ordinal >= 3000).length).toBe(600);
    // One leaves the crowd, one moves away from it, one a little.
    engine.remove(Uint32Array.of(3001));
    const away = crowd.map((x) => -x);
    put(Uint32Array.of(3002), away);
    put(Uint32Array.of(3003), town.moved(crowd, 0.05));
    oracle.remove(Uint32Array.of(3001));
    const again = await engine.search(crowd, { k: 700 });
    oracle.expectSound(crowd, again);
    expect([...again.ordinals].filter((ordinal) => ordinal >= 3000 && ordinal !== 3002).length).toBe(598);
    expect((await engine.search(away, { k: 1 })).ordinals[0]).toBe(3002);
    expect(await meanRecall(engine, oracle, queriesOf(town, 30))).toBeGreaterThanOrEqual(0.95);
  });

  it("marks an answer that the deadline cut short, and only such a one", async () => {
    const town = listeners(64, 13);
    const { engine, put } = walking(64, "cosine");
    put(upTo(20_000), town.rows(20_000));
    const query = town.listener();
    expect(await engine.searchExact(query, { k: 10, deadlineMs: 1e-6 })).toMatchObject({ degraded: true });
    expect(await engine.searchExact(query, { k: 10, deadlineMs: 60_000 })).toMatchObject({ degraded: false });
    await swapAll(engine);
    expect(await engine.search(query, { k: 10, ef: 5000, deadlineMs: 1e-6 })).toMatchObject({ degraded: true });
  });

  it("answers many queries in one call as one by one", async () => {
    const town = listeners(32, 14);
    const { engine, put } = walking(32, "inner-product");
    put(upTo(2000), town.rows(2000));
    await swapAll(engine);
    const queries = town.rows(20);
    const many = await engine.searchMany(queries, { k: 10 });
    expect(many.length).toBe(20);
    for (const [i, answer] of many.entries()) expect(answer).toEqual(await engine.search(queries.slice(i * 32, (i + 1) * 32), { k: 10 }));
    expect(await engine.searchMany(new Float32Array(0), { k: 1 })).toEqual([]);
  });

  it("in float16 answers as in float32, to the precision of its numbers", async () => {
    const town = listeners(40, 15);
    const { engine, oracle, put } = walking(40, "cosine", { storage: "float16" });
    put(upTo(3000), town.rows(3000));
    await swapAll(engine);
    let sum = 0;
    for (const query of queriesOf(town, 20)) {
      const answer = await engine.search(query, { k: 50 });
      for (const [i, ordinal] of answer.ordinals.entries()) {
        expect(Math.abs((answer.scores[i] as number) - oracle.score(query, ordinal))).toBeLessThan(2e-3);
      }
      const truth = new Set(oracle.search(query, 50).map(({ ordinal }) => ordinal));
      sum += [...answer.ordinals].filter((ordinal) => truth.has(ordinal)).length / 50;
    }
    expect(sum / 20).toBeGreaterThanOrEqual(0.95);
  });
});

describe("an allow-list", () => {
  const town = listeners(32, 12);
  const rows = 12_000;
  const oracle = new Oracle(32, "cosine");
  let engine: EmbeddedEngine;
  beforeAll(async () => {
    engine = EmbeddedEngine.create({ dims: 32, metric: "cosine", generation: GENERATION, scanRowsPerEf: 0, ef: 50 });
    const vectors = town.rows(rows);
    engine.upsert({ ordinals: upTo(rows), vectors });
    oracle.upsert(upTo(rows), vectors);
    await swapAll(engine, 0.8);
  });
  afterAll(() => engine.close());

  // The widest lists are walked, the shorter ones scanned.
  const shares = [0.95, 0.8, 0.5, 0.1, 0.01, 0.001];

  it.each(shares)("keeps recall@50 >= .95 where a share of %f is allowed, at random", async (share) => {
    const random = randomOf(3);
    const allow = upTo(rows).filter(() => random() < share);
    expect(await meanRecall(engine, oracle, queriesOf(town, 20), allow)).toBeGreaterThanOrEqual(0.95);
  });

  it.each(shares)("keeps recall@50 >= .95 where a share of %f is allowed, all of one corner", async (share) => {
    const corner = oracle.search(town.listener(), Math.ceil(rows * share));
    const allow = Uint32Array.from(corner, ({ ordinal }) => ordinal).sort();
    expect(await meanRecall(engine, oracle, queriesOf(town, 20), allow)).toBeGreaterThanOrEqual(0.95);
  });

  it("so long that its scan is split over the cores gives the same as a scan of all, however often one is named", async () => {
    const many = 150_000;
    const wide = EmbeddedEngine.create({ dims: 4, metric: "inner-product", generation: GENERATION });
    opened.push(wide);
    // Lengths in steps: many have the same score.
    wide.upsert({ ordinals: upTo(many), vectors: Float32Array.from({ length: many * 4 }, (_, i) => 1 + ((i * 7919) % 31)) });
    const random = randomOf(4);
    const allow = upTo(many).filter(() => random() < 0.6);
    const twice = Uint32Array.from([...allow, ...allow.slice(0, 1000)]);
    for (const k of [1, 50, 5000]) {
      const options = { k, ef: 10_000 };
      const query = Float32Array.of(1, 0.5, 0.25, k);
      expect(await wide.search(query, { ...options, allow: twice })).toEqual(await wide.searchExact(query, { ...options, allow }));
    }
    expect(await wide.search(Float32Array.of(1, 1, 1, 1), { k: 5, ef: 10_000, allow, deadlineMs: 1e-6 })).toMatchObject({ degraded: true });
  });
});

describe("stage, verify, publish", () => {
  it("publishes nothing whose recall is too low, and the old graph goes on", async () => {
    const town = listeners(16, 16);
    const { engine, oracle, put } = walking(16, "cosine");
    put(upTo(2000), town.rows(2000));
    await swapAll(engine);
    const staged = await engine.stage(0, { m: 2, efConstruction: 8 });
    const verified = await staged.verify({ samples: 50, k: 50, ef: 50 });
    expect(verified.recall).toBeLessThan(0.999);
    await expect(verified.publish(1)).rejects.toMatchObject({ code: "SHARD_UNVERIFIED" });
    expect(engine.stats().swaps).toBe(1);
    expect(await meanRecall(engine, oracle, queriesOf(town, 10))).toBeGreaterThanOrEqual(0.95);
    verified.discard();
    await swapAll(engine);
    expect(engine.stats().swaps).toBe(2);
  });

  it("publishes a graph once", async () => {
    const town = listeners(16, 17);
    const { engine, put } = walking(16, "cosine");
    put(upTo(500), town.rows(500));
    const verified = await (await engine.stage(0)).verify();
    await verified.publish(0.5);
    await expect(verified.publish(0.5)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("refuses a second build of a shard that is being built, an empty shard, and parameters out of range", async () => {
    const town = listeners(16, 18);
    const { engine, put } = walking(16, "cosine");
    const refused = { code: "INVALID_ARGUMENT" };
    await expect(engine.stage(0)).rejects.toMatchObject(refused);
    put(upTo(500), town.rows(500));
    const staged = await engine.stage(0);
    await expect(engine.stage(0)).rejects.toMatchObject(refused);
    staged.discard();
    for (const bad of [{ m: 1 }, { m: 65 }, { efConstruction: 1 }, { seed: -1 }, { m: Number.NaN }])
      await expect(engine.stage(0, bad)).rejects.toMatchObject(refused);
    await expect(engine.stage(1)).rejects.toMatchObject(refused);
    (await engine.stage(0)).discard();
  });

  it("includes what changed while it was built", async () => {
    const town = listeners(24, 19);
    const { engine, oracle, put } = walking(24, "cosine");
    put(upTo(6000), town.rows(6000));
    const staging = engine.stage(0);
    const target = town.listener().map((x) => -x);
    for (let i = 0; i < 40; i++) {
      put(
        Uint32Array.of(i),
        target.map((x) => x * (1 + i)),
      );
      put(Uint32Array.of(6000 + i), target);
      engine.remove(Uint32Array.of(100 + i));
      oracle.remove(Uint32Array.of(100 + i));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const verified = await (await staging).verify();
    put(Uint32Array.of(7000), target);
    await verified.publish(0.9);
    const found = [...(await engine.search(target, { k: 81 })).ordinals].sort((a, b) => a - b);
    expect(found).toEqual([...upTo(40), ...upTo(40, 6000), 7000]);
    expect(engine.stats().shards[0]?.rows).toBe(oracle.vectors.size);
    expect(await meanRecall(engine, oracle, queriesOf(town, 20))).toBeGreaterThanOrEqual(0.95);
  });

  it("stops a build when the engine is closed", async () => {
    const town = listeners(64, 20);
    const engine = EmbeddedEngine.create({ dims: 64, metric: "cosine", generation: GENERATION });
    engine.upsert({ ordinals: upTo(20_000), vectors: town.rows(20_000) });
    const staging = engine.stage(0);
    await engine.close();
    await expect(staging).rejects.toMatchObject({ code: "NOT_READY" });
  });

  it("measures the recall of live searches", async () => {
    const town = listeners(32, 21);
    const { engine, put } = walking(32, "cosine");
    expect(await engine.measureRecall()).toBeUndefined();
    put(upTo(4000), town.rows(4000));
    await swapAll(engine);
    for (const query of queriesOf(town, 40)) await engine.search(query, { k: 10 });
    const narrow = await engine.measureRecall(64, 50, { ef: 50 });
    for (const query of queriesOf(town, 40)) await engine.search(query, { k: 10 });
    const wide = await engine.measureRecall(64, 50, { ef: 1000 });
    expect(wide).toMatchObject({ queries: 64, walked: 64 });
    expect(wide?.recall).toBeGreaterThan(0.99);
    expect(wide?.recall).toBeGreaterThanOrEqual(narrow?.recall as number);
    // Both in the same unit: a standard error of at most that of a coin.
    expect(narrow?.standardError).toBeGreaterThan(0);
    expect(narrow?.standardError).toBeLessThan(0.5 / Math.sqrt(63));
  });

  it("measures the newest queries, each once, and then stored vectors", async () => {
    const { engine, put } = walking(32, "cosine");
    const noise = listeners(32, 24, 500, 1);
    put(upTo(3000), noise.rows(3000));
    await (await (await engine.stage(0, { m: 2, efConstruction: 8 })).verify()).publish(0);
    // A thin graph: from its entry it leads to rows asked for by their own vector more often than to the nearest of a stranger's.
    const strangers = listeners(32, 25, 500, 1);
    const ask = async (query: () => Float32Array, count: number): Promise<void> => {
      for (let i = 0; i < 8 * count; i++) await engine.search(query(), { k: 1 });
    };
    const measured = async (): Promise<number> => (await engine.measureRecall(128, 1, { ef: 8 }))?.recall ?? Number.NaN;
    let at = 0;
    const stored = (): Float32Array => engine.vector(at++ % 3000) as Float32Array;
    const ofStored = await measured();
    await ask(strangers.listener, 128);
    const ofStrangers = await measured();
    expect(ofStrangers).toBeLessThan(ofStored - 0.1);
    expect(await measured()).toBe(ofStored);
    await ask(strangers.listener, 300);
    await ask(stored, 200);
    expect(await measured()).toBeGreaterThan(ofStrangers + 0.1);
  });

  it("says where searches are exact scans, whatever ef is", async () => {
    const { engine, put } = walking(16, "cosine", { scanRowsPerEf: 100 });
    put(upTo(3000), listeners(16, 22).rows(3000));
    await swapAll(engine);
    expect(await engine.measureRecall(16, 10, { ef: 31 })).toMatchObject({ recall: 1, queries: 16, walked: 0 });
    expect(await engine.measureRecall(16, 10, { ef: 29 })).toMatchObject({ queries: 16, walked: 16 });
  });
});
