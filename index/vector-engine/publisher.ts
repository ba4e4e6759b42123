import { KindredError } from "../../schemas/errors.js";
import type { EmbeddedEngine } from "./embedded-engine.js";
import { DEFAULT_LIMITS, nextRebuild, type RebuildLimits, type RebuildReason } from "./rebuild-rule.js";
import type { BuildSettings, StagedShard, VerifiedShard, VerifySettings } from "./staged-shard.js";

export interface PublisherSettings {
  readonly limits?: Partial<RebuildLimits>;
  readonly build?: BuildSettings;
  readonly verify?: VerifySettings;
  /** A graph below this recall@k is not published. .9 by default. */
  readonly minRecall?: number;
  /** How often it is looked whether something is due. 1,000 by default. */
  readonly checkIntervalMs?: number;
  /** How often live recall is measured; 30,000 by default, 0 for never. */
  readonly recallIntervalMs?: number;
  /** Queries of one measurement. 64 by default. */
  readonly recallSamples?: number;
  /** After a build it rests so many times as long as the build took, so that builds take at most half of one core. 1 by default. */
  readonly restRatio?: number;
  /** After a failure it rests at least so long, and twice as long after each further one. 10,000 by default. */
  readonly retryMs?: number;
  readonly onSwap?: (swap: Swap) => void;
  /** The old set goes on after each of these. */
  readonly onError?: (error: unknown) => void;
}

export interface Swap {
  readonly shard: number;
  readonly reason: RebuildReason | "asked";
  readonly nodes: number;
  /** recall@k of the verification. */
  readonly recall: number;
  /** From the frozen copy to the assignment. */
  readonly seconds: number;
}

export interface PublisherStats {
  readonly swaps: number;
  readonly failures: number;
  readonly lastSwap: Swap | undefined;
  /** recall@k of the newest measurement of live searches. */
  readonly liveRecall: number | undefined;
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
  #timers: NodeJS.Timeout[] = [];
  #running: Promise<unknown> = Promise.resolve();
  #building = false;
  #measuring: Promise<unknown> | undefined;
  #restUntil = 0;
  #failuresInARow = 0;
  /** Doubled when a graph was not good enough: the next is built with more care. */
  #care = 1;
  #stats = { swaps: 0, failures: 0, lastSwap: undefined as Swap | undefined, liveRecall: undefined as number | undefined };

  constructor(engine: EmbeddedEngine, settings: PublisherSettings = {}) {
    this.#engine = engine;
    this.#settings = settings;
    this.#limits = { ...DEFAULT_LIMITS, ...settings.limits };
  }

  start(): void {
    if (this.#timers.length > 0) return;
    const { checkIntervalMs = 1000, recallIntervalMs = 30_000 } = this.#settings;
    this.#every(checkIntervalMs, () => this.check());
    if (recallIntervalMs > 0) this.#every(recallIntervalMs, () => this.measure());
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
    return { ...this.#stats, building: this.#building };
  }

  /** Rebuilds what is due, if anything is and it is not resting; resolves when that is done. Never rejects. */
  async check(): Promise<void> {
    if (this.#building || this.#engine.closed || performance.now() < this.#restUntil) return;
    try {
      const next = nextRebuild(this.#engine.stats().shards, this.#stats.liveRecall, this.#limits);
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

  /** Measures live recall. Never rejects; undefined where there is nothing to ask, or it failed. */
  async measure(): Promise<number | undefined> {
    if (this.#measuring !== undefined || this.#engine.closed) return this.#stats.liveRecall;
    const measuring = this.#engine.measureRecall(this.#settings.recallSamples ?? 64, this.#settings.verify?.k ?? 50);
    this.#measuring = measuring;
    try {
      this.#stats.liveRecall = await measuring;
    } catch (error) {
      this.#settings.onError?.(error);
    } finally {
      this.#measuring = undefined;
    }
    return this.#stats.liveRecall;
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
    const began = performance.now();
    let held: StagedShard | VerifiedShard | undefined;
    try {
      const staged = await this.#engine.stage(shard, this.#buildSettings());
      held = staged;
      const verified = await staged.verify(this.#settings.verify);
      const { nodes } = staged;
      held = verified;
      await verified.publish(this.#settings.minRecall ?? 0.9);
      const ms = performance.now() - began;
      const swap: Swap = { shard, reason, nodes, recall: verified.recall, seconds: ms / 1000 };
      this.#restUntil = performance.now() + ms * (this.#settings.restRatio ?? 1);
      this.#failuresInARow = 0;
      this.#stats = { ...this.#stats, swaps: this.#stats.swaps + 1, lastSwap: swap, liveRecall: undefined };
      this.#settings.onSwap?.(swap);
      return swap;
    } catch (error) {
      held?.discard();
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
    this.#restUntil = performance.now() + Math.min(retryMs * 2 ** this.#failuresInARow++, LONGEST_RETRY_MS);
    this.#stats = { ...this.#stats, failures: this.#stats.failures + 1 };
    this.#settings.onError?.(error);
  }
}
