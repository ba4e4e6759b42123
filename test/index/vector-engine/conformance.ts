import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Generation } from "../../../schemas/ids.js";
import type { Metric, SearchResult, VectorEngine } from "../../../schemas/ports/read-model.js";
import { listeners, upTo } from "./listeners.js";

export const GENERATION = 3 as Generation;

/** The truth, computed apart from every engine. */
export class Oracle {
  readonly vectors = new Map<number, Float32Array>();

  constructor(
    readonly dims: number,
    readonly metric: Metric,
  ) {}

  upsert(ordinals: Uint32Array, rows: Float32Array): void {
    ordinals.forEach((ordinal, i) => {
      const row = rows.slice(i * this.dims, (i + 1) * this.dims);
      if (row.every((x) => x === 0)) this.vectors.delete(ordinal);
      else this.vectors.set(ordinal, row);
    });
  }

  remove(ordinals: Uint32Array): void {
    for (const ordinal of ordinals) this.vectors.delete(ordinal);
  }

  score(query: Float32Array, ordinal: number): number {
    const vector = this.vectors.get(ordinal);
    if (vector === undefined) return Number.NaN;
    let [product, a, b] = [0, 0, 0];
    for (let d = 0; d < this.dims; d++) {
      const [x, y] = [query[d] as number, vector[d] as number];
      product += x * y;
      a += x * x;
      b += y * y;
    }
    return this.metric === "cosine" ? product / Math.sqrt(a * b) : product;
  }

  /** Best first. */
  search(query: Float32Array, k: number, passes: (ordinal: number) => boolean = () => true): { ordinal: number; score: number }[] {
    const all = [...this.vectors.keys()].filter(passes).map((ordinal) => ({ ordinal, score: this.score(query, ordinal) }));
    return all.sort((a, b) => b.score - a.score || a.ordinal - b.ordinal).slice(0, k);
  }

  /** Share of the k best that an answer has as good ones for. */
  recall(query: Float32Array, k: number, answer: SearchResult, passes?: (ordinal: number) => boolean): number {
    const truth = this.search(query, k, passes);
    if (truth.length === 0) return 1;
    const last = (truth.at(-1) as { score: number }).score - 1e-5;
    return [...answer.ordinals].filter((ordinal) => this.score(query, ordinal) >= last).length / truth.length;
  }

  /**
   * The answer's own promises: each score true, best first, nobody twice, nobody who is gone.
   * @param rounding of the stored numbers, as a share of the longest product there may be
   */
  expectSound(query: Float32Array, answer: SearchResult, rounding = 0): void {
    expect(new Set(answer.ordinals).size).toBe(answer.ordinals.length);
    expect(answer.scores.length).toBe(answer.ordinals.length);
    answer.ordinals.forEach((ordinal, i) => {
      const truth = this.score(query, ordinal);
      const longest = this.metric === "cosine" ? 1 : Math.hypot(...query) * Math.hypot(...(this.vectors.get(ordinal) ?? []));
      const apart = Math.abs((answer.scores[i] as number) - truth);
      expect(apart).toBeLessThan(2e-5 * Math.max(1, Math.abs(truth)) + rounding * longest);
      if (i === 0) return;
      const [before, now] = [answer.scores[i - 1] as number, answer.scores[i] as number];
      expect(before > now || (before === now && (answer.ordinals[i - 1] as number) < ordinal)).toBe(true);
    });
  }
}

/** recall@50 of searches against the oracle, each answer checked. */
export async function meanRecall(
  engine: Pick<VectorEngine, "search">,
  oracle: Oracle,
  queries: readonly Float32Array[],
  allow?: Uint32Array,
): Promise<number> {
  const allowed = allow && new Set(allow);
  let sum = 0;
  for (const query of queries) {
    const answer = await engine.search(query, { k: 50, ...(allow && { allow }) });
    oracle.expectSound(query, answer);
    sum += oracle.recall(query, 50, answer, allowed && ((ordinal) => allowed.has(ordinal)));
  }
  return sum / queries.length;
}

/** What an engine may lack; the suite then holds it to what its own documentation says instead. */
export interface EngineCapabilities {
  /** recall@50 of a search, whatever moved before. .95 where not given. */
  readonly recall?: Partial<Record<Metric, number>>;
  /** A deadline cuts an exact scan. Else: it is finished, late. */
  readonly deadlines: boolean;
}

/** Sizes of trained item vectors, which the suite is run with beside its own small one. */
export const ITEM_DIMS = [64, 128, 256];

/** What every VectorEngine does, under both metrics. */
export function vectorEngineConformance(
  name: string,
  make: (dims: number, metric: Metric) => VectorEngine,
  can: EngineCapabilities = { deadlines: true },
  dims = 24,
): void {
  for (const metric of ["cosine", "inner-product"] as const) {
    describe(`${name} is a VectorEngine by ${metric} of ${dims} dimensions`, () => {
      const town = listeners(dims, 11);
      let engine: VectorEngine;
      let oracle: Oracle;
      beforeEach(() => {
        engine = make(dims, metric);
        oracle = new Oracle(dims, metric);
      });
      afterEach(() => engine.close());

      const put = (ordinals: Uint32Array, vectors: Float32Array): void => {
        engine.upsert({ ordinals, vectors });
        oracle.upsert(ordinals, vectors);
      };

      it("says what it is", () => {
        expect([engine.dims, engine.metric, engine.generation, engine.size]).toEqual([dims, metric, GENERATION, 0]);
      });

      it("finds nothing in an empty table", async () => {
        for (const search of [
          engine.search(town.listener(), { k: 5 }),
          engine.searchExact(town.listener(), { k: 5 }),
          engine.searchFrom(0, { k: 5 }),
        ]) {
          const { ordinals, scores, degraded } = await search;
          expect([ordinals.length, scores.length, degraded]).toEqual([0, 0, false]);
        }
      });

      it("gives the exact neighbours of a small table, by search and by searchExact", async () => {
        put(upTo(400), town.rows(400));
        for (let i = 0; i < 20; i++) {
          const query = town.listener();
          for (const answer of [await engine.search(query, { k: 10 }), await engine.searchExact(query, { k: 10 })]) {
            oracle.expectSound(query, answer);
            expect(answer.ordinals.length).toBe(10);
            expect(oracle.recall(query, 10, answer)).toBe(1);
          }
        }
      });

      it("gives fewer than k where there are fewer, and all with a k beyond the rows", async () => {
        put(upTo(7), town.rows(7));
        const answer = await engine.search(town.listener(), { k: 10_000 });
        expect([...answer.ordinals].sort((a, b) => a - b)).toEqual([...upTo(7)]);
      });

      it("breaks ties by ordinal", async () => {
        const same = town.listener();
        const rows = new Float32Array(30 * dims);
        for (let i = 0; i < 30; i++) rows.set(same, i * dims);
        put(
          Uint32Array.from({ length: 30 }, (_, i) => (i * 7) % 30),
          rows,
        );
        expect([...(await engine.search(same, { k: 12 })).ordinals]).toEqual([...upTo(12)]);
      });

      it("finds an overwritten vector where it is now, in the very next search", async () => {
        put(upTo(200), town.rows(200));
        const target = town.listener().map((x) => -9 * x);
        put(Uint32Array.of(77), target);
        const { ordinals } = await engine.search(target, { k: 1 });
        expect([...ordinals]).toEqual([77]);
        expect(engine.size).toBe(200);
      });

      it("no longer finds what was removed, by remove or by a row of zeros", async () => {
        put(upTo(50), town.rows(50));
        const query = engine.vector(10) as Float32Array;
        engine.remove(Uint32Array.of(10, 10, 4000));
        engine.upsert({ ordinals: Uint32Array.of(11), vectors: new Float32Array(dims) });
        const found = [...(await engine.search(query, { k: 50 })).ordinals];
        expect(found.length).toBe(48);
        expect(found).not.toContain(10);
        expect(found).not.toContain(11);
        expect([engine.size, engine.vector(10), engine.vector(11)]).toEqual([48, undefined, undefined]);
        put(
          Uint32Array.of(10),
          query.map((x) => 99 * x),
        );
        expect((await engine.search(query, { k: 1 })).ordinals[0]).toBe(10);
      });

      it("takes the last row where a batch names an ordinal twice", async () => {
        const [first, second] = [town.listener(), town.listener()];
        put(Uint32Array.of(5, 5), Float32Array.of(...first, ...second));
        expect(engine.size).toBe(1);
        oracle.expectSound(second, await engine.search(second, { k: 1 }));
      });

      it("keeps to the deny and the allow list", async () => {
        put(upTo(300), town.rows(300));
        const query = town.listener();
        const exclude = Uint32Array.from(oracle.search(query, 5), ({ ordinal }) => ordinal);
        const allow = upTo(100, 50);
        const passes = (ordinal: number): boolean => ordinal >= 50 && ordinal < 150 && !exclude.includes(ordinal);
        const answer = await engine.search(query, { k: 20, exclude, allow });
        expect([...answer.ordinals].every(passes)).toBe(true);
        expect(oracle.recall(query, 20, answer, passes)).toBe(1);
        expect((await engine.search(query, { k: 20, allow: new Uint32Array(0) })).ordinals.length).toBe(0);
        expect([...(await engine.search(query, { k: 20, allow: Uint32Array.of(3, 3, 4_000_000_000) })).ordinals]).toEqual([3]);
      });

      it("searches from a stored vector as from that vector", async () => {
        put(upTo(100), town.rows(100));
        const from = await engine.searchFrom(42, { k: 10, exclude: Uint32Array.of(42) });
        const by = await engine.search(engine.vector(42) as Float32Array, { k: 10, exclude: Uint32Array.of(42) });
        expect(from).toEqual(by);
        expect((await engine.searchFrom(100, { k: 10 })).ordinals.length).toBe(0);
      });

      const least = can.recall?.[metric] ?? 0.95;
      it(`finds recall@50 >= ${least} where everyone moved five times, half of them far`, async () => {
        put(upTo(2500), town.rows(2500));
        for (let round = 0; round < 5; round++) {
          await engine.search(town.listener(), { k: 1 });
          const far = upTo(1250, (round % 2) * 1250);
          put(far, town.rows(1250));
          for (const ordinal of upTo(1250, ((round + 1) % 2) * 1250))
            put(Uint32Array.of(ordinal), town.moved(oracle.vectors.get(ordinal) as Float32Array, 0.1));
        }
        let sum = 0;
        for (let i = 0; i < 30; i++) {
          const query = town.listener();
          const answer = await engine.search(query, { k: 50 });
          oracle.expectSound(query, answer);
          sum += oracle.recall(query, 50, answer);
        }
        expect(sum / 30).toBeGreaterThanOrEqual(least);
      });

      it("finds 400 for one of a crowd of as many with one vector: the crowd, where recall is not limited", async () => {
        put(upTo(1500), town.rows(1500));
        const crowd = town.listener(1);
        const rows = new Float32Array(400 * dims);
        for (let i = 0; i < 400; i++) rows.set(crowd, i * dims);
        put(upTo(400, 1500), rows);
        await engine.search(crowd, { k: 1 });
        const answer = await engine.search(crowd, { k: 400 });
        oracle.expectSound(crowd, answer);
        if (can.recall?.[metric] === undefined) expect(oracle.recall(crowd, 400, answer)).toBe(1);
        expect(answer.ordinals.length).toBe(400);
      });

      it(can.deadlines ? "cuts an exact scan at its deadline, and says so" : "finishes an exact scan whatever the deadline", async () => {
        put(upTo(3000), town.rows(3000));
        const late = await engine.searchExact(town.listener(), { k: 10, deadlineMs: 1e-6 });
        expect(late.degraded).toBe(can.deadlines);
        if (!can.deadlines) expect(late.ordinals.length).toBe(10);
        expect(await engine.searchExact(town.listener(), { k: 10, deadlineMs: 60_000 })).toMatchObject({ degraded: false });
      });

      it("finds nothing by a query of zeros", async () => {
        put(upTo(10), town.rows(10));
        expect((await engine.search(new Float32Array(dims), { k: 3 })).ordinals.length).toBe(0);
      });

      it("takes what it is given before it returns, so that the memory may be used again", async () => {
        const rows = town.rows(3);
        const first = rows.slice(0, dims);
        const ordinals = upTo(3);
        engine.upsert({ ordinals, vectors: rows });
        rows.fill(0);
        ordinals.fill(9);
        const query = first.slice();
        const searching = engine.search(query, { k: 1 });
        query.fill(0);
        expect((await searching).ordinals.length).toBe(1);
        expect(engine.vector(0)?.some((x) => x !== 0)).toBe(true);
      });

      it("refuses what is out of range, and applies nothing of it", async () => {
        put(upTo(10), town.rows(10));
        const code = expect.objectContaining({ code: "INVALID_ARGUMENT" });
        const broken = [
          { ordinals: upTo(2), vectors: new Float32Array(dims) },
          { ordinals: upTo(2), vectors: town.rows(2).fill(Number.NaN, dims, dims + 1) },
          { ordinals: upTo(2, 20), vectors: town.rows(2).fill(Number.POSITIVE_INFINITY, dims, dims + 1) },
          { ordinals: Uint32Array.of(1, 4_294_967_295), vectors: town.rows(2) },
        ];
        for (const batch of broken) expect(() => engine.upsert(batch)).toThrow(code);
        const query = town.listener();
        const options = [
          { k: 0 },
          { k: 1.5 },
          { k: Number.NaN },
          { k: 10_001 },
          { k: 5, ef: 0 },
          { k: 5, ef: 10_001 },
          { k: 5, deadlineMs: 0 },
          { k: 5, deadlineMs: Number.NaN },
        ];
        for (const bad of options) await expect(engine.search(query, bad)).rejects.toThrow(code);
        for (const bad of [new Float32Array(dims - 1), new Float32Array(0), query.map(() => Number.NaN)])
          await expect(engine.search(bad, { k: 1 })).rejects.toThrow(code);
        expect(engine.size).toBe(10);
        for (let i = 0; i < 10; i++) expect(engine.vector(i)).toBeDefined();
      });

      it("refuses all work once it is closed", async () => {
        await engine.close();
        await engine.close();
        await expect(engine.search(town.listener(), { k: 1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
        expect(() => engine.upsert({ ordinals: upTo(1), vectors: town.rows(1) })).toThrow(
          expect.objectContaining({ code: "INVALID_ARGUMENT" }),
        );
      });
    });
  }
}
