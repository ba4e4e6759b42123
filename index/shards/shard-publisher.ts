import { KindredError } from "../../schemas/errors.js";
import type { EmbeddedEngine } from "../vector-engine/embedded-engine.js";
import type { BuildSettings, StagedShard, VerifySettings } from "../vector-engine/staged-shard.js";
import { LiveRecall, type LiveRecallSettings } from "./live-recall.js";
import { DEFAULT_LIMITS, nextRebuild, type RebuildLimits, type RebuildReason } from "./rebuild-rule.js";
import { SearchBreadth } from "./search-breadth.js";

export interface PublisherSettings {
  readonly limits?: Partial<RebuildLimits>;
  readonly build?: BuildSettings;
  readonly verify?: VerifySettings;
  /** A graph below this recall@k is not published. .9 by default. */
  readonly minRecall?: number;
  /** How often it is looked whether something is due. 1,000 by default. */
  readonly checkIntervalMs?: number;
  readonly live?: Omit<LiveRecallSettings, "k" | "clock">;
  /** ef is moved within these to hold `limits.targetRecall`; it stays as it is where they are not given. */
  readonly efLimits?: { readonly least: number; readonly most: number };
  /** After a build it rests so many times as long as the build took, so that builds of an engine take at most half of one core. 1 by default. */
  readonly restRatio?: number;
  /** After a failure it rests at least so long, and twice as long after each further one. 10,000 by default. */
  readonly retryMs?: number;
  /** Milliseconds that only rise: for all that rests or comes due. performance.now by default. */
  readonly clock?: () => number;
  readonly onSwap?: (swap: Swap) => void;
  readonly onTuned?: (tuned: Tuned) => void;
  /** The old set goes on after each of these. */
  readonly onError?: (error: unknown) => void;
}

export interface Swap {
  readonly shard: number;
  readonly reason: RebuildReason | "asked";
  readonly nodes: number;
  /** recall@k of the verification, and the ef that it took. */
  readonly recall: number;
  readonly ef: number;
  /** From the frozen copy to the assignment. */
  readonly seconds: number;
}

export interface Tuned {
  readonly from: number;
  readonly to: number;
  /** What was measured at `from`. */
  readonly recall: number;
}

export interface PublisherStats {
  readonly swaps: number;
  readonly failures: number;
  readonly lastSwap: Swap | undefined;
  /** recall@k of the newest measurement of live searches. */
  readonly liveRecall: number | undefined;
  /** Breadth of searches that name none. */
  readonly ef: number;
  /** CPU that measuring live recall took. */
  readonly measureCpuSeconds: number;
  readonly building: boolean;
}

const LONGEST_RETRY_MS = 600_000;
const DEFAULT_EF_CONSTRUCTION = 80;
/** Beyond it a graph hardly gets better. */
const MOST_EF_CONSTRUCTION = 400;

/**
 * Keeps the shards of an engine good: looks now and then whether one needs its next graph, builds it in the background,
 * verifies it against exact scans and swaps it in; one at a time. Searches and upserts never wait for it.
 */
export class ShardPublisher {
  readonly #engine: EmbeddedEngine;
  readonly #settings: PublisherSettings;
  readonly #limits: RebuildLimits;
  readonly #live: LiveRecall;
  readonly #breadth: SearchBreadth;
  readonly #clock: () => number;
  #timers: NodeJS.Timeout[] = [];
  #running: Promise<unknown> = Promise.resolve();
  #building = false;
  #measuring: Promise<unknown> | undefined;
  #restUntil = 0;
  #failuresInARow = 0;
  #ef = 0;
  /** Doubled when a graph was not good enough: the next is built with more care. */
  #care = 1;
  #stats = { swaps: 0, failures: 0, lastSwap: undefined as Swap | undefined, liveRecall: undefined as number | undefined };

  constructor(engine: EmbeddedEngine, settings: PublisherSettings = {}) {
    this.#engine = engine;
    this.#settings = settings;
    this.#limits = { ...DEFAULT_LIMITS, ...settings.limits };
    const { live, verify, efLimits, clock = () => performance.now() } = settings;
    this.#clock = clock;
    this.#live = new LiveRecall(engine, { ...live, clock, ...(verify?.k !== undefined && { k: verify.k }) });
    this.#breadth = new SearchBreadth(engine, efLimits && { ...efLimits, target: this.#limits.targetRecall, k: this.#live.k });
  }

  start(): void {
    if (this.#timers.length > 0) return;
    const { checkIntervalMs = 1000 } = this.#settings;
    this.#every(checkIntervalMs, () => this.check());
    this.#every(checkIntervalMs, () => this.measureIfDue());
  }

  /** No new build begins. One under way is cancelled when the engine is closed; this waits for neither. */
  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
  }

  /** After stop and the engine's close: when what was under way has ended. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#running, this.#measuring]);
  }

  stats(): PublisherStats {
    if (!this.#engine.closed) this.#ef = this.#engine.ef;
    return { ...this.#stats, ef: this.#ef, measureCpuSeconds: this.#live.cpuSeconds, building: this.#building };
  }

  /** Whether every shard that is to have a graph has one. */
  get complete(): boolean {
    return this.#engine.closed || this.#engine.stats().shards.every(({ nodes, rows }) => nodes > 0 || rows < this.#limits.minRows);
  }

  /** Rebuilds what is due, if anything is and it is not resting; resolves when that is done. Never rejects. */
  async check(): Promise<void> {
    if (this.#building || this.#engine.closed || this.#clock() < this.#restUntil) return;
    try {
      const live = { recall: this.#stats.liveRecall, efHasRoom: this.#breadth.hasRoom, efGrowth: this.#breadth.growth };
      const next = nextRebuild(this.#engine.stats().shards, live, this.#limits);
      if (next !== undefined) await this.#one(next.shard, next.reason);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Rebuilds a shard now, after what is under way. @throws KindredError as the steps do; the old graph goes on */
  async rebuild(shard: number): Promise<Swap> {
    while (this.#building) await this.#running;
    try {
      return await this.#one(shard, "asked");
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  async measureIfDue(): Promise<void> {
    if (!this.#engine.closed && this.#live.due()) await this.measure();
  }

  /** Measures live recall and moves ef by it. Never rejects; undefined where there is nothing to ask, or it failed. */
  async measure(): Promise<number | undefined> {
    if (this.#measuring !== undefined || this.#engine.closed) return this.#stats.liveRecall;
    const measuring = this.#measure();
    this.#measuring = measuring;
    try {
      await measuring;
    } catch (error) {
      this.#settings.onError?.(error);
    } finally {
      this.#measuring = undefined;
    }
    return this.#stats.liveRecall;
  }

  async #measure(): Promise<void> {
    const [from, { swaps }] = [this.#engine.ef, this.#stats];
    const measured = await this.#live.measure();
    // Closed, or of a graph that is not in use any more.
    if (this.#engine.closed || swaps !== this.#stats.swaps) return;
    this.#stats.liveRecall = measured?.recall;
    if (this.#engine.ef !== from) return;
    const to = this.#breadth.tune(measured);
    if (measured !== undefined && to !== from) this.#settings.onTuned?.({ from, to, recall: measured.recall });
  }

  #every(intervalMs: number, work: () => Promise<unknown>): void {
    this.#timers.push(setInterval(() => void work(), intervalMs).unref());
  }

  #one(shard: number, reason: Swap["reason"]): Promise<Swap> {
    this.#building = true;
    const swap = this.#swap(shard, reason).finally(() => {
      this.#building = false;
    });
    this.#running = swap.catch(() => undefined);
    return swap;
  }

  /** stage, verify, swap; the engine retires the old one. */
  async #swap(shard: number, reason: Swap["reason"]): Promise<Swap> {
    const began = this.#clock();
    let staged: StagedShard | undefined;
    try {
      staged = await this.#engine.stage(shard, this.#buildSettings());
      const { nodes } = staged;
      const good = await this.#breadth.verify(staged, this.#settings.verify);
      await this.#breadth.publish(good, this.#settings.minRecall ?? 0.9);
      const ms = this.#clock() - began;
      const swap: Swap = { shard, reason, nodes, recall: good.shard.recall, ef: good.ef, seconds: ms / 1000 };
      this.#restUntil = this.#clock() + ms * (this.#settings.restRatio ?? 1);
      this.#failuresInARow = 0;
      this.#stats = { ...this.#stats, swaps: this.#stats.swaps + 1, lastSwap: swap, liveRecall: undefined };
      this.#settings.onSwap?.(swap);
      return swap;
    } catch (error) {
      staged?.discard();
      throw error;
    }
  }

  #buildSettings(): BuildSettings {
    const { efConstruction = DEFAULT_EF_CONSTRUCTION } = this.#settings.build ?? {};
    return {
      ...this.#settings.build,
      efConstruction: Math.max(efConstruction, Math.min(efConstruction * this.#care, MOST_EF_CONSTRUCTION)),
    };
  }

  #failed(error: unknown): void {
    // Closed on purpose while something was under way.
    if (this.#engine.closed && error instanceof KindredError && (error.code === "NOT_READY" || error.code === "INVALID_ARGUMENT")) return;
    if (error instanceof KindredError && error.code === "SHARD_UNVERIFIED") this.#care = Math.min(this.#care * 2, 64);
    const { retryMs = 10_000 } = this.#settings;
    this.#restUntil = this.#clock() + Math.min(retryMs * 2 ** this.#failuresInARow++, LONGEST_RETRY_MS);
    this.#stats = { ...this.#stats, failures: this.#stats.failures + 1 };
    this.#settings.onError?.(error);
  }
}
