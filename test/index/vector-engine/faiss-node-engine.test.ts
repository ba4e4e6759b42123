import { afterEach, describe, expect, it } from "vitest";
import { EmbeddedEngine } from "../../../index/vector-engine/embedded-engine.js";
import { FaissNodeEngine, type FaissNodeSettings } from "../../../index/vector-engine/faiss-node-engine.js";
import { type FaissNode, importFaissNode, loadFaissNode } from "../../../index/vector-engine/faiss-node-package.js";
import type { Metric, SearchOptions, SearchResult } from "../../../schemas/ports/read-model.js";
import { GENERATION, meanRecall, Oracle, vectorEngineConformance } from "./conformance.js";
import { type Listeners, listeners, randomOf, upTo } from "./listeners.js";

const faiss = await loadFaissNode();

/** What a walk alone finds of rows in tight groups, as the tests have them; see the engine's limits. */
const LEAST_RECALL = 0.85;

/** Has a graph from the first row on, with everyone in it, and walks it wherever a walk can do. */
const WALKS: FaissNodeSettings = { minGraphRows: 1, freshShare: 0, scanRowsPerEf: 0, minRecall: 0 };

const table = (dims: number, metric: Metric): EmbeddedEngine => EmbeddedEngine.create({ dims, metric, generation: GENERATION });

/** Searches when everyone is in the graph. */
class SettledEngine extends FaissNodeEngine {
  override async search(query: Float32Array, options: SearchOptions): Promise<SearchResult> {
    const taken = query.slice();
    await this.settled();
    return super.search(taken, options);
  }
}

vectorEngineConformance("FaissNodeEngine", (dims, metric) => new FaissNodeEngine(faiss, table(dims, metric)));
vectorEngineConformance("FaissNodeEngine that always walks", (dims, metric) => new SettledEngine(faiss, table(dims, metric), WALKS), {
  deadlines: true,
  recall: { cosine: LEAST_RECALL, "inner-product": 0.7 },
});

const opened: FaissNodeEngine[] = [];
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.close();
});

function walking(dims: number, more: FaissNodeSettings = {}) {
  const vectors = table(dims, "cosine");
  const engine = new FaissNodeEngine(faiss, vectors, { ...WALKS, ...more });
  opened.push(engine);
  const oracle = new Oracle(dims, "cosine");
  return {
    engine,
    vectors,
    oracle,
    put: (ordinals: Uint32Array, rows: Float32Array): void => {
      engine.upsert({ ordinals, vectors: rows });
      oracle.upsert(ordinals, rows);
    },
  };
}

const queriesOf = (town: Listeners, count: number): Float32Array[] => Array.from({ length: count }, () => town.listener());

/** The package, counting its walks; or with an `add` that fails. */
function watched(fails = false): { faiss: FaissNode; walks(): number } {
  let walks = 0;
  const made: FaissNode = {
    MetricType: faiss.MetricType,
    Index: {
      fromFactory(...args) {
        const index = faiss.Index.fromFactory(...args);
        return {
          ntotal: () => index.ntotal(),
          add: (rows) => {
            if (fails) throw new Error("no memory left");
            index.add(rows);
          },
          search: (query, k) => {
            walks++;
            return index.search(query, k);
          },
        };
      },
    },
  };
  return { faiss: made, walks: () => walks };
}

describe("the graph of faiss-node", () => {
  it(`finds recall@50 >= ${LEAST_RECALL} at the default ef, with everyone in it`, async () => {
    const town = listeners(48, 5);
    const { engine, oracle, put } = walking(48);
    put(upTo(6000), town.rows(6000));
    await engine.settled();
    expect(engine.stats()).toMatchObject({ dead: 0, fresh: 0 });
    expect(engine.stats().nodes).toBeGreaterThan(3000);
    expect(await meanRecall(engine, oracle, queriesOf(town, 30))).toBeGreaterThanOrEqual(LEAST_RECALL);
  });

  it("is made between the thread's other work, and every search meanwhile sees the newest vectors", async () => {
    const town = listeners(24, 6);
    const { engine, oracle, put } = walking(24);
    put(upTo(1500), town.rows(1500));
    let sawPart = false;
    for (let turn = 0; engine.stats().fresh > 0; turn++) {
      put(Uint32Array.of(turn), town.listener());
      const query = oracle.vectors.get(turn) as Float32Array;
      const answer = await engine.search(query, { k: 3 });
      oracle.expectSound(query, answer);
      expect(oracle.recall(query, 1, answer)).toBe(1);
      const { nodes, fresh } = engine.stats();
      sawPart ||= nodes > 0 && fresh > 0;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(sawPart).toBe(true);
  });

  it("is made anew when half of its nodes are dead, and answers meanwhile", async () => {
    const town = listeners(24, 7);
    const { engine, oracle, put } = walking(24);
    put(upTo(1500), town.rows(1500));
    await engine.settled();
    const before = engine.stats().nodes;
    put(upTo(1500), town.rows(1500));
    engine.remove(upTo(300));
    oracle.remove(upTo(300));
    const settling = engine.settled();
    expect(await meanRecall(engine, oracle, queriesOf(town, 10))).toBeGreaterThanOrEqual(LEAST_RECALL);
    await settling;
    expect(engine.stats()).toMatchObject({ dead: 0, fresh: 0 });
    expect(engine.stats().nodes).toBeLessThan(before);
    expect(await meanRecall(engine, oracle, queriesOf(town, 30))).toBeGreaterThanOrEqual(LEAST_RECALL);
  });

  it("keeps whoever moves a little, and is not walked where a scan is quicker", async () => {
    const town = listeners(24, 8);
    const { faiss: counted, walks } = watched();
    const engine = new FaissNodeEngine(counted, table(24, "cosine"), { ...WALKS, scanRowsPerEf: 10 });
    opened.push(engine);
    const rows = town.rows(1500);
    engine.upsert({ ordinals: upTo(1500), vectors: rows });
    await engine.settled();
    const { nodes } = engine.stats();
    for (let i = 0; i < 100; i++)
      engine.upsert({ ordinals: Uint32Array.of(i), vectors: town.moved(rows.slice(i * 24, (i + 1) * 24), 0.02) });
    await engine.settled();
    expect(engine.stats().nodes - nodes).toBeLessThan(10);
    const before = walks();
    await engine.search(town.listener(), { k: 10, ef: 100 });
    expect(walks()).toBe(before + 1);
    await engine.search(town.listener(), { k: 10, ef: 200 });
    expect(walks()).toBe(before + 1);
  });

  it.each([0.5, 0.1, 0.01])("keeps recall@50 where only a share of %f is allowed", async (share) => {
    const town = listeners(32, 12);
    const { engine, oracle, put } = walking(32);
    put(upTo(5000), town.rows(5000));
    await engine.settled();
    const random = randomOf(3);
    const allow = upTo(5000).filter(() => random() < share);
    expect(await meanRecall(engine, oracle, queriesOf(town, 20), allow)).toBeGreaterThanOrEqual(LEAST_RECALL);
  });

  it("comes whole, and not marked as cut, where the deadline passes during the walk", async () => {
    const town = listeners(32, 13);
    const { engine, put } = walking(32);
    put(upTo(3000), town.rows(3000));
    expect(await engine.search(town.listener(), { k: 10, deadlineMs: 1e-6 })).toMatchObject({ degraded: true });
    await engine.settled();
    const answer = await engine.search(town.listener(), { k: 10, deadlineMs: 1e-6 });
    expect([answer.ordinals.length, answer.degraded]).toEqual([10, false]);
  });

  it.each(["cosine", "inner-product"] as const)(
    "is walked by %s only where its recall against exact scans is good enough",
    async (metric) => {
      const town = listeners(24, 16);
      for (const minRecall of [0.5, 1]) {
        const { faiss: counted, walks } = watched();
        const engine = new FaissNodeEngine(counted, table(24, metric), { ...WALKS, minRecall });
        opened.push(engine);
        const oracle = new Oracle(24, metric);
        const rows = town.rows(3000);
        engine.upsert({ ordinals: upTo(3000), vectors: rows });
        oracle.upsert(upTo(3000), rows);
        await engine.settled();
        const { recall = -1 } = engine.stats();
        const measured = walks();
        const found = await meanRecall(engine, oracle, queriesOf(town, 10));
        expect(recall).toBeGreaterThan(0.5);
        expect(walks() > measured).toBe(recall >= minRecall);
        if (recall < minRecall) expect(found).toBe(1);
      }
    },
  );

  it("gives way to scans when it cannot be made, which is told once", async () => {
    const town = listeners(24, 14);
    const errors: unknown[] = [];
    const engine = new FaissNodeEngine(watched(true).faiss, table(24, "cosine"), { ...WALKS, onError: (error) => errors.push(error) });
    opened.push(engine);
    const oracle = new Oracle(24, "cosine");
    for (let round = 0; round < 2; round++) {
      const rows = town.rows(500);
      engine.upsert({ ordinals: upTo(500), vectors: rows });
      oracle.upsert(upTo(500), rows);
      await engine.settled();
      expect(await meanRecall(engine, oracle, queriesOf(town, 5))).toBe(1);
    }
    expect(errors).toEqual([new Error("no memory left")]);
  });
});

describe("vectors that somebody else writes", () => {
  it("are found where they are once it is told, and not at all once they are removed", async () => {
    const town = listeners(24, 15);
    const { engine, vectors, put } = walking(24);
    put(upTo(2000), town.rows(2000));
    await engine.settled();
    const target = town.listener().map((x) => -x);
    vectors.upsert({ ordinals: Uint32Array.of(7, 2500), vectors: Float32Array.of(...target, ...target) });
    engine.moved(Uint32Array.of(7, 2500));
    expect([...(await engine.search(target, { k: 2 })).ordinals]).toEqual([7, 2500]);
    await engine.settled();
    expect([...(await engine.search(target, { k: 2 })).ordinals]).toEqual([7, 2500]);
    vectors.remove(Uint32Array.of(7));
    const answer = await engine.search(target, { k: 2 });
    expect(answer.ordinals[0]).toBe(2500);
    expect(answer.ordinals).not.toContain(7);
    expect(engine.vector(7)).toBeUndefined();
  });
});

describe("what would end the process is refused", () => {
  it("links out of range", () => {
    for (const m of [3, 65, 4.5, Number.NaN])
      expect(() => new FaissNodeEngine(faiss, table(8, "cosine"), { m })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("a package that is not there, by a code and the command that helps", async () => {
    await expect(importFaissNode("faiss-node-of-nobody")).rejects.toMatchObject({
      code: "ENGINE_MISSING",
      message: expect.stringContaining("node setup/faiss-node.mjs"),
    });
  });
});
