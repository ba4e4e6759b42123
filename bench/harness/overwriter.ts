import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";

/** Vectors of a micro-batch. */
export const BATCH = 200;
/** Share of something else that one event mixes into a vector. */
export const DRIFT = 0.03;

export interface OverwriterData {
  readonly handle: number;
  readonly rows: number;
}

export interface OverwriterOrder {
  /** 0 to stop. */
  readonly rate: number;
  readonly control: boolean;
}

export interface OverwriterReport {
  readonly overwrites: number;
  readonly perSecond: number;
  /** Of one micro-batch. */
  readonly slowestMs: number;
}

/** Overwrites vectors of an engine on a thread of its own, as the updater does while the main thread answers. */
export class Overwriter {
  readonly #worker: Worker;

  constructor(engine: EmbeddedEngine, rows: number) {
    const workerData: OverwriterData = { handle: engine.handle, rows };
    this.#worker = new Worker(new URL("./overwriter-worker.js", import.meta.url), { workerData });
  }

  /** With `control` it writes to memory of its own: what searches lose then is the machine's doing, not the engine's. */
  start(perSecond: number, control = false): void {
    this.#worker.postMessage({ rate: perSecond, control } satisfies OverwriterOrder);
  }

  async stop(): Promise<OverwriterReport> {
    this.#worker.postMessage({ rate: 0, control: false } satisfies OverwriterOrder);
    const [report] = (await once(this.#worker, "message")) as [OverwriterReport];
    return report;
  }

  /** Once it was stopped. */
  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
