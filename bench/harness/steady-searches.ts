import type { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import { steadily } from "../../test/harness/http-load.js";
import { quantile } from "./results.js";

export interface SearchPhase {
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  readonly searches: number;
  /** Rejected, cut short or with fewer than k results. */
  readonly failed: number;
}

/** Asks one query after the other at a steady rate for `seconds`; milliseconds from the call to the answer. */
export async function searchSteadily(
  engine: EmbeddedEngine,
  queries: Float32Array,
  { perSecond, seconds, k = 50 }: { perSecond: number; seconds: number; k?: number },
): Promise<SearchPhase> {
  const ms: number[] = [];
  let failed = 0;
  const count = queries.length / engine.dims;
  await steadily(perSecond, seconds, async (i) => {
    const at = (i % count) * engine.dims;
    const began = performance.now();
    try {
      const { ordinals, degraded } = await engine.search(queries.subarray(at, at + engine.dims), { k });
      if (degraded || ordinals.length < k) failed++;
    } catch {
      failed++;
    }
    ms.push(performance.now() - began);
  });
  return { p50: quantile(ms, 0.5), p99: quantile(ms, 0.99), worst: quantile(ms, 1), searches: ms.length, failed };
}

/** Of what was measured in pairs, one after the other in one run: what else the machine does falls out of the ratio. */
export const medianRatio = (pairs: readonly { idle: number; busy: number }[]): number =>
  quantile(
    pairs.map(({ idle, busy }) => busy / idle),
    0.5,
  );
