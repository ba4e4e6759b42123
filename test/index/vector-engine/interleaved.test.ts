// Everything that can happen to an index, in any order, with the exact scan of the truth as the oracle. What fails is
// printed with its seed and the shortest list of steps that fails.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openShards, saveShards } from "../../../index/shards/shard-files.js";
import { EmbeddedEngine } from "../../../index/vector-engine/embedded-engine.js";
import type { StagedShard } from "../../../index/vector-engine/staged-shard.js";
import type { Metric, SearchOptions, SearchResult } from "../../../schemas/ports/read-model.js";
import { GENERATION, Oracle } from "./conformance.js";
import { type Listeners, listeners, randomOf, upTo } from "./listeners.js";

const DIMS = 16;
const ORDINALS = 900;

const ordinal = fc.integer({ min: 0, max: ORDINALS });
const query = fc.record({
  op: fc.constant("search" as const),
  k: fc.oneof(fc.constant(20), fc.integer({ min: 1, max: 300 }), fc.constant(10_000)),
  ef: fc.option(fc.integer({ min: 1, max: 600 }), { nil: undefined }),
  filter: fc.constantFrom("none" as const, "none" as const, "exclude" as const, "allow" as const, "both" as const),
  by: fc.constantFrom("query" as const, "batch" as const, "ordinal" as const, "exact" as const),
});
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant("upsert" as const), first: ordinal, count: fc.integer({ min: 1, max: 120 }) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("remove" as const), first: ordinal, count: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("move" as const), ordinal, share: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant("stage" as const), shard: fc.nat({ max: 2 }) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constantFrom("publish" as const, "publish" as const, "discard" as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("reopen" as const) }) },
  { weight: 6, arbitrary: query },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Query = typeof query extends fc.Arbitrary<infer T> ? T : never;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "kindred-interleaved-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** An engine and what it has to hold. */
class Course {
  readonly #oracle: Oracle;
  readonly #random: () => number;
  readonly #rounding: number;
  #staged: StagedShard | undefined;
  readonly #ever = new Set<number>();
  /** Who came for the first time since the graphs were begun that are in use: in none of them, so surely in a fresh list. */
  #fresh = new Set<number>();
  #sinceStage = new Set<number>();
  /** Of searches at the default ef, without a filter. */
  readonly recalls: number[] = [];

  constructor(
    private engine: EmbeddedEngine,
    private readonly town: Listeners,
    seed: number,
  ) {
    this.#oracle = new Oracle(DIMS, engine.metric);
    this.#random = randomOf(seed);
    this.#rounding = engine.native.options.storage === "float16" ? 1e-3 : 2e-6;
  }

  upsert(ordinals: Uint32Array, vectors: Float32Array): void {
    for (const one of ordinals) {
      if (this.#ever.has(one)) continue;
      this.#ever.add(one);
      this.#fresh.add(one);
      this.#sinceStage.add(one);
    }
    this.engine.upsert({ ordinals, vectors });
    this.#oracle.upsert(ordinals, vectors);
  }

  async take(one: Step): Promise<void> {
    if (one.op === "upsert") this.upsert(upTo(one.count, one.first), this.town.rows(one.count));
    else if (one.op === "remove") {
      this.engine.remove(upTo(one.count, one.first));
      this.#oracle.remove(upTo(one.count, one.first));
    } else if (one.op === "move") {
      const vector = this.#oracle.vectors.get(one.ordinal);
      if (vector !== undefined) this.upsert(Uint32Array.of(one.ordinal), this.town.moved(vector, one.share));
    } else if (one.op === "stage") await this.#stage(one.shard % this.engine.shards);
    else if (one.op === "search") await this.search(one);
    else if (one.op === "reopen") await this.#reopen();
    else await this.#end(one.op);
    expect(this.engine.size).toBe(this.#oracle.vectors.size);
  }

  async search({ k, ef, filter, by }: Query): Promise<void> {
    const some = (share: number): Uint32Array => upTo(ORDINALS + 120).filter(() => this.#random() < share);
    const exclude = filter === "exclude" || filter === "both" ? some(0.2) : undefined;
    const allow = filter === "allow" || filter === "both" ? some(0.5) : undefined;
    const options: SearchOptions = { k, ...(ef !== undefined && { ef }), ...(exclude && { exclude }), ...(allow && { allow }) };
    const [denied, allowed] = [new Set(exclude), allow && new Set(allow)];
    const passes = (one: number): boolean => !denied.has(one) && allowed?.has(one) !== false;
    for (const { asked, answer } of await this.#ask(by, options)) {
      this.#oracle.expectSound(asked, answer, this.#rounding);
      expect([...answer.ordinals].every(passes)).toBe(true);
      expect(answer.degraded).toBe(false);
      const recall = this.#compare(asked, k, answer, passes);
      if (by === "exact") expect(recall).toBe(1);
      else if (filter === "none" && ef === undefined) this.recalls.push(recall);
    }
  }

  async close(): Promise<void> {
    this.#staged?.discard();
    await this.engine.close();
  }

  async #ask(by: Query["by"], options: SearchOptions): Promise<{ asked: Float32Array; answer: SearchResult }[]> {
    if (by === "batch") {
      const asked = [this.town.listener(), this.town.listener(), this.town.listener()];
      const answers = await this.engine.searchMany(Float32Array.of(...asked.flatMap((one) => [...one])), options);
      return answers.map((answer, i) => ({ asked: asked[i] as Float32Array, answer }));
    }
    if (by === "ordinal") {
      const from = [...this.#oracle.vectors.keys()][Math.floor(this.#random() * this.#oracle.vectors.size)];
      if (from === undefined) return [];
      return [{ asked: this.engine.vector(from) as Float32Array, answer: await this.engine.searchFrom(from, options) }];
    }
    const asked = this.town.listener();
    return [{ asked, answer: await (by === "exact" ? this.engine.searchExact(asked, options) : this.engine.search(asked, options)) }];
  }

  /** recall@k; and who surely lies in a fresh list and is among the k best is there. */
  #compare(asked: Float32Array, k: number, answer: SearchResult, passes: (ordinal: number) => boolean): number {
    const truth = this.#oracle.search(asked, k, passes);
    const last = truth.at(-1)?.score;
    if (last === undefined) return 1;
    const slack = 2e-5 * Math.max(1, Math.abs(last)) + 2 * this.#rounding * this.#scale(asked);
    const found = new Set(answer.ordinals);
    for (const one of truth)
      if (this.#fresh.has(one.ordinal) && (truth.length < k || one.score > last + slack)) expect(found.has(one.ordinal)).toBe(true);
    return Math.min(1, [...found].filter((one) => this.#oracle.score(asked, one) >= last - slack).length / truth.length);
  }

  #scale(asked: Float32Array): number {
    if (this.engine.metric === "cosine") return 1;
    let longest = 0;
    for (const vector of this.#oracle.vectors.values()) longest = Math.max(longest, Math.hypot(...vector));
    return Math.hypot(...asked) * longest;
  }

  async #stage(shard: number): Promise<void> {
    if (this.#staged !== undefined || this.engine.stats().shards[shard]?.rows === 0) return;
    this.#sinceStage = new Set();
    this.#staged = await this.engine.stage(shard);
  }

  async #end(how: "publish" | "discard"): Promise<void> {
    const staged = this.#staged;
    this.#staged = undefined;
    if (staged === undefined || how === "discard") return staged?.discard();
    await (await staged.verify({ samples: 20, k: 20 })).publish(0);
    this.#fresh = new Set(this.#sinceStage);
  }

  async #reopen(): Promise<void> {
    this.#staged?.discard();
    this.#staged = undefined;
    await saveShards(this.engine, directory, { positions: new Map(), idsOf: (ordinals) => Array.from(ordinals, String) });
    await this.engine.close();
    const ordinalsOf = (ids: readonly string[]): Uint32Array => Uint32Array.from(ids, Number);
    this.engine = (await openShards(directory, { ordinalsOf, scanRowsPerEf: 0 })).engine;
    this.#fresh = new Set();
  }
}

async function run(
  steps: readonly Step[],
  metric: Metric,
  storage: "float32" | "float16",
  shards: number,
  seed: number,
): Promise<number[]> {
  const settings = { dims: DIMS, metric, storage, shards, generation: GENERATION, scanRowsPerEf: 0 };
  const town = listeners(DIMS, seed, 12, 20);
  const course = new Course(EmbeddedEngine.create(settings), town, seed);
  try {
    course.upsert(upTo(300), town.rows(300));
    for (let shard = 0; shard < shards; shard++) {
      await course.take({ op: "stage", shard });
      await course.take({ op: "publish" });
    }
    for (const one of steps) await course.take(one);
    for (const by of ["query", "exact", "batch"] as const) await course.search({ op: "search", k: 20, ef: undefined, filter: "none", by });
    return course.recalls;
  } finally {
    await course.close();
  }
}

it.each([
  ["cosine", "float32"],
  ["cosine", "float16"],
  ["inner-product", "float32"],
  ["inner-product", "float16"],
] as const)(
  "agrees with the exact engine whatever comes in whatever order, by %s in %s",
  async (metric, storage) => {
    const recalls: number[] = [];
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 50 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer(),
        async (steps, shards, seed) => {
          recalls.push(...(await run(steps, metric, storage, shards, seed)));
        },
      ),
      { numRuns: 25 },
    );
    const mean = recalls.reduce((sum, one) => sum + one, 0) / recalls.length;
    expect(mean, `mean recall of ${recalls.length} searches`).toBeGreaterThanOrEqual(0.95);
  },
  120_000,
);
