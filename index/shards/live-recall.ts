import type { NativeMeasuredRecall } from "../../native/vector-index.js";
import type { EmbeddedEngine } from "../vector-engine/embedded-engine.js";

export interface LiveRecallSettings {
  /** Queries of one measurement; 64 by default: at .95 its standard error is some .01. */
  readonly samples?: number;
  /** 50 by default. */
  readonly k?: number;
  /** It is measured at least so often, where its share of a core allows it; 30,000 by default, 0 for never. */
  readonly intervalMs?: number;
  /** Or as soon as so many vectors were written as this share of the rows. .05 by default. */
  readonly changedShare?: number;
  /** Most that measuring may take of one core. .03 by default. */
  readonly coreShare?: number;
  /** Milliseconds that only rise; performance.now by default. */
  readonly clock?: () => number;
}

/** When live recall is measured: as often as vectors move, within a share of one core that holds at any size. */
export class LiveRecall {
  readonly k: number;
  readonly #engine: EmbeddedEngine;
  readonly #settings: Required<LiveRecallSettings>;
  #began = Number.NEGATIVE_INFINITY;
  #restUntil = Number.NEGATIVE_INFINITY;
  /** Vectors written since each shard's swap, as they were at the last measurement. */
  #changed = 0;
  #seed = 0;
  #cpuSeconds = 0;

  constructor(engine: EmbeddedEngine, settings: LiveRecallSettings = {}) {
    this.#engine = engine;
    this.#settings = {
      samples: 64,
      k: 50,
      intervalMs: 30_000,
      changedShare: 0.05,
      coreShare: 0.03,
      clock: () => performance.now(),
      ...settings,
    };
    this.k = this.#settings.k;
  }

  /** CPU that all measurements took. */
  get cpuSeconds(): number {
    return this.#cpuSeconds;
  }

  due(now = this.#settings.clock()): boolean {
    const { intervalMs, changedShare } = this.#settings;
    if (intervalMs <= 0 || now < this.#restUntil) return false;
    if (now - this.#began >= intervalMs) return true;
    const changed = this.#written();
    // Fewer than before: a swap began to count anew, and nothing is known of its graph.
    return changed < this.#changed || changed - this.#changed >= changedShare * this.#engine.size;
  }

  /** undefined where there is nothing to ask. @throws KindredError as the engine does */
  async measure(): Promise<NativeMeasuredRecall | undefined> {
    const { samples, k, coreShare, clock } = this.#settings;
    this.#began = clock();
    this.#changed = this.#written();
    const measured = await this.#engine.measureRecall(samples, k, { seed: ++this.#seed });
    const cpuSeconds = measured?.cpuSeconds ?? 0;
    this.#cpuSeconds += cpuSeconds;
    this.#restUntil = this.#began + (cpuSeconds * 1000) / coreShare;
    return measured;
  }

  #written(): number {
    return this.#engine.stats().shards.reduce((sum, { changed }) => sum + changed, 0);
  }
}
