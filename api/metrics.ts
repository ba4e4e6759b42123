import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { FingerprintBandCounts, IndexShardRows, UpdaterMetrics } from "../schemas/ports/admin.js";
import { EVENT_TO_RECALL_BUCKETS_SECONDS, INDEX_SWAP_BUCKETS_SECONDS } from "../schemas/ports/admin.js";
import { SnapshotHistogram } from "./snapshot-histogram.js";

/** What this process measures, in Prometheus' base units. No user ids in labels. */
export interface Metrics {
  /** `source`: http, journal, file; `outcome`: accepted, rejected, overloaded, folded, duplicate, ... */
  countEvents(source: string, outcome: string, count: number): void;
  observeRecall(scenario: string, seconds: number): void;
  /** Counts of the updater's thread, the newest snapshot; sent every second or so. */
  fromUpdater(snapshot: UpdaterMetrics): void;
  setIndexRows(shards: readonly IndexShardRows[]): void;
  /** The exposition text, of `contentType`. */
  expose(): Promise<string>;
  readonly contentType: string;
}

export interface MetricsOptions {
  /** Also the process's own: CPU, memory, event loop. */
  readonly processMetrics?: boolean;
}

const RECALL_BUCKETS_SECONDS = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** A registry of its own: two servers in one process (tests) don't share counts. */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry, prefix: "kindred_" });
  const events = new Counter({
    name: "kindred_events_total",
    help: "Behaviour events by where they came from and what became of them",
    labelNames: ["source", "outcome"],
    registers,
  });
  const recall = new Histogram({
    name: "kindred_recall_duration_seconds",
    help: "Time of a recall, without waiting for `after`",
    labelNames: ["scenario"],
    buckets: RECALL_BUCKETS_SECONDS,
    registers,
  });
  const eventToRecall = new SnapshotHistogram(
    "kindred_event_to_recall_seconds",
    "Time from accepted to recallable",
    EVENT_TO_RECALL_BUCKETS_SECONDS,
    registry,
  );
  const lag = new Gauge({ name: "kindred_source_lag_events", help: "Records in the log that are not applied yet", registers });
  const rows = new Gauge({ name: "kindred_state_rows", help: "Rows of the state", registers });
  const indexRows = new Gauge({ name: "kindred_index_rows", help: "Rows of an index shard", labelNames: ["shard"], registers });
  const swaps = new Counter({ name: "kindred_index_swaps_total", help: "Shard sets published", registers });
  const swapDuration = new SnapshotHistogram(
    "kindred_index_swap_duration_seconds",
    "Time from staged to published",
    INDEX_SWAP_BUCKETS_SECONDS,
    registry,
  );
  const recallAtK = new Gauge({ name: "kindred_index_recall_at_k", help: "Live answers against an exact scan, 0..1", registers });
  // Not 0, which would be an alarm, before anything was measured.
  recallAtK.set(Number.NaN);
  const bands = bandGauges(registers);
  const ef = new Gauge({ name: "kindred_index_ef", help: "Breadth of searches, as it has tuned itself", registers });
  ef.set(Number.NaN);
  const measureCpu = new Counter({
    name: "kindred_index_measure_cpu_seconds_total",
    help: "CPU that measuring live recall took",
    registers,
  });
  const deadLetters = new Counter({
    name: "kindred_dead_letters_total",
    help: "Records that could not be folded",
    labelNames: ["code"],
    registers,
  });
  const registryWaiting = new Gauge({ name: "kindred_registry_waiting", help: "Schemas that records wait for", registers });
  const registryFailures = new Counter({
    name: "kindred_registry_failures_total",
    help: "How often the schema registry did not answer, or refused",
    registers,
  });
  const growth = new Growth();

  return {
    contentType: registry.contentType,
    countEvents(source, outcome, count) {
      if (count > 0) events.inc({ source, outcome }, count);
    },
    observeRecall: (scenario, seconds) => recall.observe({ scenario }, seconds),
    fromUpdater(snapshot) {
      for (const { source, outcome, count } of snapshot.events)
        events.inc({ source, outcome }, growth.of(`events ${source} ${outcome}`, count));
      for (const { code, count } of snapshot.deadLetters) deadLetters.inc({ code }, growth.of(`dead ${code}`, count));
      swaps.inc(growth.of("swaps", snapshot.indexSwaps));
      eventToRecall.set(snapshot.eventToRecall);
      swapDuration.set(snapshot.indexSwapDuration);
      lag.set(snapshot.sourceLagEvents);
      rows.set(snapshot.stateRows);
      if (snapshot.bands) bands.set(snapshot.bands);
      if (snapshot.indexRecallAtK !== undefined) recallAtK.set(snapshot.indexRecallAtK);
      if (snapshot.indexEf !== undefined) ef.set(snapshot.indexEf);
      registryWaiting.set(snapshot.registry?.waiting ?? 0);
      registryFailures.inc(growth.of("registry", snapshot.registry?.failures ?? 0));
      measureCpu.inc(growth.of("measure", snapshot.indexMeasureCpuSeconds ?? 0));
    },
    setIndexRows(shards) {
      indexRows.reset();
      for (const { shard, rows: n } of shards) indexRows.set({ shard }, n);
    },
    expose: () => registry.metrics(),
  };
}

/** How the fingerprints are spread: what a search to Hamming distance 3 costs, and whether the cap cuts it. */
function bandGauges(registers: Registry[]): { set(counts: FingerprintBandCounts): void } {
  const gauge = (name: string, help: string) => new Gauge({ name: `kindred_index_band_${name}`, help, registers });
  const largest = gauge("largest_bucket", "Users of the largest fingerprint bucket");
  const overCap = gauge("buckets_over_cap", "Fingerprint buckets with more users than a search compares");
  const stale = gauge("stale_entries", "Entries of users who left their fingerprint bucket, until it is compacted");
  return {
    set({ largestBucket, bucketsOverCap, staleEntries }) {
      largest.set(largestBucket);
      overCap.set(bucketsOverCap);
      stale.set(staleEntries);
    },
  };
}

/** How much a count grew since it was last given; one that fell back began anew. */
class Growth {
  readonly #known = new Map<string, number>();

  of(name: string, count: number): number {
    const before = this.#known.get(name) ?? 0;
    this.#known.set(name, count);
    return count >= before ? count - before : count;
  }
}
