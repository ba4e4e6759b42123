import type { PublisherStats } from "../../index/shards/shard-publisher.js";
import type { ErrorCode } from "../../schemas/errors.js";
import type { EpochMs } from "../../schemas/ids.js";
import {
  EVENT_TO_RECALL_BUCKETS_SECONDS,
  type FingerprintBandCounts,
  INDEX_SWAP_BUCKETS_SECONDS,
  type RegistryCounts,
  type UpdaterMetrics,
} from "../../schemas/ports/admin.js";
import type { CommitAge } from "../../schemas/ports/changelog.js";
import type { AppliedBatch } from "../../streams/operators/batches.js";

/** Counts of one histogram; a value goes into the first bucket whose bound it does not exceed. */
class Counted {
  readonly counts: number[];
  sum = 0;

  constructor(private readonly bounds: readonly number[]) {
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  add(value: number, times = 1): void {
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    const at = bucket < 0 ? this.bounds.length : bucket;
    this.counts[at] = (this.counts[at] ?? 0) + times;
    this.sum += value * times;
  }

  snapshot(): { counts: number[]; sum: number } {
    return { counts: [...this.counts], sum: this.sum };
  }
}

/** What the updater counted since it started. */
export class UpdaterCounters {
  private readonly outcomes = new Map<string, number>();
  private readonly letters = new Map<ErrorCode, number>();
  private readonly eventToRecall = new Counted(EVENT_TO_RECALL_BUCKETS_SECONDS);
  private readonly swaps = new Counted(INDEX_SWAP_BUCKETS_SECONDS);
  private swapCount = 0;

  /** @param source what the log is called in the label of `events_total` */
  constructor(private readonly source: string) {}

  /** @param upToDate freshness counts only for what was accepted while this process ran, not for what it caught up with */
  applied(batch: AppliedBatch, upToDate: boolean): void {
    const { folded, duplicates, erased, skipped } = batch.counts;
    const outcomes = { folded, duplicate: duplicates, erased: erased + batch.unreadable, skipped, "dead-letter": batch.letters.length };
    for (const [outcome, count] of Object.entries(outcomes))
      if (count > 0) this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + count);
    for (const { code } of batch.letters) this.letters.set(code, (this.letters.get(code) ?? 0) + 1);
    if (upToDate && batch.acceptedAt > 0 && folded > 0)
      this.recallable({ acceptedAt: batch.acceptedAt, events: folded }, batch.publishedAt);
  }

  /** Events are found by every search from `publishedAt` on. */
  recallable({ acceptedAt, events }: CommitAge, publishedAt: EpochMs): void {
    this.eventToRecall.add(Math.max(0, publishedAt - acceptedAt) / 1000, events);
  }

  swapped(seconds: number): void {
    this.swapCount++;
    this.swaps.add(seconds);
  }

  snapshot(gauges: {
    readonly sourceLagEvents: number;
    readonly stateRows: number;
    readonly index?: Pick<PublisherStats, "liveRecall" | "ef" | "measureCpuSeconds"> | undefined;
    readonly bands?: FingerprintBandCounts | undefined;
    readonly registry?: RegistryCounts;
  }): UpdaterMetrics {
    const { sourceLagEvents, stateRows, index, bands, registry } = gauges;
    return {
      events: [...this.outcomes].map(([outcome, count]) => ({ source: this.source, outcome, count })),
      eventToRecall: this.eventToRecall.snapshot(),
      deadLetters: [...this.letters].map(([code, count]) => ({ code, count })),
      indexSwaps: this.swapCount,
      indexSwapDuration: this.swaps.snapshot(),
      sourceLagEvents,
      stateRows,
      ...(index && { indexEf: index.ef, indexMeasureCpuSeconds: index.measureCpuSeconds }),
      ...(index?.liveRecall !== undefined && { indexRecallAtK: index.liveRecall }),
      ...(bands && { bands }),
      ...(registry && { registry: { waiting: registry.waiting, failures: registry.failures } }),
    };
  }
}
