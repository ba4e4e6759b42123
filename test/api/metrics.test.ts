import { describe, expect, it } from "vitest";
import { createMetrics } from "../../api/metrics.js";
import type { UpdaterMetrics } from "../../schemas/ports/admin.js";
import { EVENT_TO_RECALL_BUCKETS_SECONDS, INDEX_SWAP_BUCKETS_SECONDS } from "../../schemas/ports/admin.js";
import { testServer } from "./test-server.js";

const counts = (bounds: readonly number[], ...filled: readonly (readonly [number, number])[]): number[] => {
  const all = new Array<number>(bounds.length + 1).fill(0);
  for (const [at, count] of filled) all[at] = count;
  return all;
};

const snapshot = (scale: number): UpdaterMetrics => ({
  events: [{ source: "journal", outcome: "folded", count: 10 * scale }],
  eventToRecall: { counts: counts(EVENT_TO_RECALL_BUCKETS_SECONDS, [1, 4 * scale], [14, scale]), sum: 0.5 * scale },
  deadLetters: [{ code: "RECORD_UNREADABLE", count: 2 * scale }],
  indexSwaps: scale,
  indexSwapDuration: { counts: counts(INDEX_SWAP_BUCKETS_SECONDS, [0, scale]), sum: 0.00005 * scale },
  sourceLagEvents: 7,
  stateRows: 99,
  indexRecallAtK: 0.975,
  bands: { largestBucket: 70_000, bucketsOverCap: 2, staleEntries: 123 },
  indexEf: 160,
  indexMeasureCpuSeconds: 0.5 * scale,
  registry: { waiting: 2, failures: 4 * scale },
});

describe("the metrics", () => {
  it("have the names of the contract", async () => {
    const metrics = createMetrics();
    metrics.countEvents("http", "accepted", 1);
    metrics.observeRecall("u2u", 0.001);
    metrics.setIndexRows([{ shard: "users-0", rows: 3 }]);
    metrics.fromUpdater(snapshot(1));
    const names = [...(await metrics.expose()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    expect(names.sort()).toEqual([
      "kindred_dead_letters_total counter",
      "kindred_event_to_recall_seconds histogram",
      "kindred_events_total counter",
      "kindred_index_band_buckets_over_cap gauge",
      "kindred_index_band_largest_bucket gauge",
      "kindred_index_band_stale_entries gauge",
      "kindred_index_ef gauge",
      "kindred_index_measure_cpu_seconds_total counter",
      "kindred_index_recall_at_k gauge",
      "kindred_index_rows gauge",
      "kindred_index_swap_duration_seconds histogram",
      "kindred_index_swaps_total counter",
      "kindred_recall_duration_seconds histogram",
      "kindred_registry_failures_total counter",
      "kindred_registry_waiting gauge",
      "kindred_source_lag_events gauge",
      "kindred_state_rows gauge",
    ]);
  });

  it("tell no recall before any was measured", async () => {
    expect(await createMetrics().expose()).toMatch(/^kindred_index_recall_at_k nan$/im);
  });

  it("count what the updater counted once, however often it is sent, and go on after its restart", async () => {
    const metrics = createMetrics();
    for (const scale of [1, 1, 3, 3, 2]) metrics.fromUpdater(snapshot(scale));
    const text = await metrics.expose();
    // 3 before the restart, 2 since.
    expect(text).toContain('kindred_events_total{source="journal",outcome="folded"} 50');
    expect(text).toContain('kindred_dead_letters_total{code="RECORD_UNREADABLE"} 10');
    expect(text).toContain("kindred_index_swaps_total 5");
    expect(text).toContain('kindred_event_to_recall_seconds_bucket{le="0.001"} 0');
    expect(text).toContain('kindred_event_to_recall_seconds_bucket{le="0.002"} 20');
    expect(text).toContain('kindred_event_to_recall_seconds_bucket{le="10"} 20');
    expect(text).toContain('kindred_event_to_recall_seconds_bucket{le="+Inf"} 25');
    expect(text).toContain("kindred_event_to_recall_seconds_count 25");
    expect(text).toContain("kindred_event_to_recall_seconds_sum 2.5");
    expect(text).toContain("kindred_source_lag_events 7");
    expect(text).toContain("kindred_state_rows 99");
    expect(text).toContain("kindred_index_recall_at_k 0.975");
    expect(text).toContain("kindred_index_band_largest_bucket 70000");
    expect(text).toContain("kindred_index_band_buckets_over_cap 2");
    expect(text).toContain("kindred_index_band_stale_entries 123");
    expect(text).toContain("kindred_index_ef 160");
    expect(text).toContain("kindred_index_measure_cpu_seconds_total 2.5");
    expect(text).toContain("kindred_registry_waiting 2");
    expect(text).toContain("kindred_registry_failures_total 20");
  });

  it("are served as text, with events, recalls and index rows of this server", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1");
    await call("POST", "/v1/events", { events: [{}] });
    await call("GET", "/v1/recall/u2u?user=ada");
    const answer = await call("GET", "/metrics");
    expect(answer.headers["content-type"]).toContain("text/plain");
    expect(answer.text).toContain('kindred_events_total{source="http",outcome="accepted"} 1');
    expect(answer.text).toContain('kindred_events_total{source="http",outcome="rejected"} 1');
    expect(answer.text).toContain('kindred_recall_duration_seconds_count{scenario="u2u"} 1');
    expect(answer.text).toContain('kindred_index_rows{shard="users-0"} 1');
    expect(answer.text).not.toContain("ada");
  });

  it("forget shards that are gone", async () => {
    const metrics = createMetrics();
    metrics.setIndexRows([{ shard: "a", rows: 1 }]);
    metrics.setIndexRows([{ shard: "b", rows: 2 }]);
    expect(await metrics.expose()).not.toContain('shard="a"');
  });
});
