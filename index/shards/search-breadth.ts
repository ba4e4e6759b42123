import type { NativeMeasuredRecall } from "../../native/vector-index.js";
import type { EmbeddedEngine } from "../vector-engine/embedded-engine.js";
import type { StagedShard, VerifiedShard, VerifySettings } from "../vector-engine/staged-shard.js";
import { type EfRule, nextEf } from "./ef-tuner.js";

/** A graph is verified at so many widths at most; what is missing yet is left to the tuner. */
const MOST_VERIFICATIONS = 6;
/** A new graph leaves this share of the misses that are allowed to what moves until searches are measured. */
const SHARE_TO_SPARE = 0.2;

/** A graph, and the ef at which it was found good enough. */
export interface GoodAt {
  readonly shard: VerifiedShard;
  readonly ef: number;
}

const withSpare = (target: number): number => target + SHARE_TO_SPARE * (1 - target);

/** The ef of an engine: where a graph is published with, and how it moves from there as live recall does. Without a rule it stays. */
export class SearchBreadth {
  readonly #engine: EmbeddedEngine;
  readonly #rule: EfRule | undefined;
  #calm = 0;
  /** At which the newest graph was good enough, or the lowest since: what a graph needs that nobody has moved away from. */
  #needed: number;

  constructor(engine: EmbeddedEngine, rule: EfRule | undefined) {
    this.#engine = engine;
    this.#rule = rule;
    if (rule !== undefined) engine.ef = Math.min(Math.max(engine.ef, rule.least), rule.most);
    this.#needed = engine.ef;
  }

  get hasRoom(): boolean {
    return this.#rule !== undefined && this.#engine.ef < this.#rule.most;
  }

  /** How many times wider searches are than with a new graph. */
  get growth(): number {
    return this.#engine.ef / this.#needed;
  }

  /** After a measurement of searches at the engine's ef. @returns the ef from now on */
  tune(measured: NativeMeasuredRecall | undefined): number {
    if (this.#rule === undefined) return this.#engine.ef;
    const { ef, calm } = nextEf({ ef: this.#engine.ef, calm: this.#calm }, measured, this.#rule);
    this.#calm = calm;
    this.#needed = Math.min(this.#needed, ef);
    if (ef !== this.#engine.ef) this.#engine.ef = ef;
    return ef;
  }

  /** Verifies a graph at what the last one needed, and wider until it is good enough, so that no search has to find out. */
  async verify(staged: StagedShard, settings: VerifySettings = {}): Promise<GoodAt> {
    const rule = settings.ef === undefined && this.#rule && { ...this.#rule, target: withSpare(this.#rule.target) };
    let ef = settings.ef ?? Math.min(this.#engine.ef, this.#needed);
    for (let left = MOST_VERIFICATIONS; ; left--) {
      const shard = await staged.verify({ ...settings, ef });
      const next = rule ? nextEf({ ef, calm: 0 }, shard.measured, rule).ef : ef;
      if (next <= ef || left <= 1) return { shard, ef };
      ef = next;
    }
  }

  /** Publishes it, never searched narrower than it needs. Other shards may have graphs that need more: then ef comes down slowly. */
  async publish({ shard, ef }: GoodAt, minRecall: number): Promise<void> {
    if (this.#rule === undefined) return shard.publish(minRecall);
    const before = this.#engine.ef;
    if (before < ef) this.#engine.ef = ef;
    try {
      await shard.publish(minRecall);
    } catch (error) {
      // The old graph goes on, and with it what it needs.
      if (!this.#engine.closed) this.#engine.ef = before;
      throw error;
    }
    const others = this.#engine.stats().shards.filter(({ nodes }, other) => other !== shard.shard && nodes > 0);
    if (others.length === 0) this.#engine.ef = ef;
    this.#needed = ef;
    this.#calm = 0;
  }
}
