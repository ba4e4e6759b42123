import type { MetricValueWithName, Registry } from "prom-client";
import type { HistogramCounts } from "../schemas/ports/admin.js";

/**
 * A Prometheus histogram that another thread counts: it shows the last counts it was given. (prom-client's own takes
 * one observation at a time: a replay's hundreds of thousands a second would be counted twice over on this thread.)
 */
export class SnapshotHistogram {
  #earlier: HistogramCounts;
  #now: HistogramCounts;

  constructor(
    readonly name: string,
    readonly help: string,
    readonly bounds: readonly number[],
    registry: Registry,
  ) {
    this.#earlier = this.#now = { counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
    registry.registerMetric(this as unknown as Parameters<Registry["registerMetric"]>[0]);
  }

  /** Counts since the other thread began; when they fall back, it began anew, and its earlier ones are kept. */
  set(counts: HistogramCounts): void {
    if (total(counts) < total(this.#now)) this.#earlier = add(this.#earlier, this.#now);
    this.#now = counts;
  }

  /** As prom-client's registry asks for it. */
  async get(): Promise<{ name: string; help: string; type: string; aggregator: string; values: MetricValueWithName<string>[] }> {
    const { counts, sum } = add(this.#earlier, this.#now);
    const values: MetricValueWithName<string>[] = [];
    let upTo = 0;
    this.bounds.forEach((bound, i) => {
      upTo += counts[i] ?? 0;
      values.push({ metricName: `${this.name}_bucket`, labels: { le: bound }, value: upTo });
    });
    const count = upTo + (counts[this.bounds.length] ?? 0);
    values.push({ metricName: `${this.name}_bucket`, labels: { le: "+Inf" }, value: count });
    values.push({ metricName: `${this.name}_sum`, labels: {}, value: sum }, { metricName: `${this.name}_count`, labels: {}, value: count });
    return { name: this.name, help: this.help, type: "histogram", aggregator: "sum", values };
  }

  reset(): void {
    this.#earlier = this.#now = { counts: [], sum: 0 };
  }
}

const total = (histogram: HistogramCounts): number => histogram.counts.reduce((sum, count) => sum + count, 0);

function add(a: HistogramCounts, b: HistogramCounts): HistogramCounts {
  const length = Math.max(a.counts.length, b.counts.length);
  return { counts: Array.from({ length }, (_, i) => (a.counts[i] ?? 0) + (b.counts[i] ?? 0)), sum: a.sum + b.sum };
}
