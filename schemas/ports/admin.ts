import type { KindredError } from "../errors.js";
import type { CatalogueNumber, EpochMs, ItemId, Offset, Partition, UserId } from "../ids.js";
import type { ItemInfo } from "../item.js";
import type { Position } from "../position.js";

/** A dead letter: what could not be folded, and why. */
export interface DeadLetter {
  /** Ascending number within the data directory. */
  readonly number: number;
  readonly code: KindredError["code"];
  readonly message: string;
  /** Where it came from: `journal 0:77`, `file <hash> line 12`. */
  readonly origin: string;
  readonly at: number;
  /** The original bytes, as UTF-8 text where they are text, else base64 with the prefix `base64:`. */
  readonly original: string;
}

export interface StateSummary {
  /** Sum mod 2^128 of a hash per user: 32 hex digits. */
  readonly hash: string;
  readonly rows: number;
  readonly position: Position;
  readonly catalogue: CatalogueNumber | 0;
  /** Rows still computed with an earlier catalogue; their hash changes as they follow. */
  readonly migrating: boolean;
}

/** A whole profile, from the thread that owns the store. */
export interface ProfileDetails {
  readonly user: UserId;
  readonly fingerprint: string | null;
  readonly events: number;
  readonly updatedAt: number;
  readonly partition: Partition;
  readonly offset: Offset;
  readonly catalogue: CatalogueNumber;
  readonly totalWeight: number;
  readonly items: readonly { readonly item: string; readonly weight: number; readonly ts: number }[];
  /** Strongest first. */
  readonly keywords: readonly { readonly keyword: string; readonly weight: number }[];
  readonly accumulators: readonly number[];
}

export interface VerifyReport {
  readonly rows: number;
  readonly storedHash: string;
  readonly recomputedHash: string;
  /** Users whose derived fields differ from what their profile says; at most 100. */
  readonly faults: readonly { readonly user: string; readonly field: string }[];
  readonly faultCount: number;
}

/** What a user's profile holds, for training: arrays run in parallel. */
export interface UserHistory {
  readonly user: UserId;
  readonly items: readonly ItemId[];
  /** Negative for what is disliked. */
  readonly weights: readonly number[];
  /** Of the newest event of each. */
  readonly times: readonly EpochMs[];
}

/** Where a page of histories ended. */
export interface HistoriesPlace {
  readonly partition: Partition;
  readonly user: UserId;
}

export interface HistoriesPage {
  readonly histories: readonly UserHistory[];
  /** Where the next one goes on; absent after the last. */
  readonly next?: HistoriesPlace;
}

/** Questions to the thread that owns the store. */
export interface StateOwner {
  /** Users after `after`, by partition and id: each as it is when its page is read, while folding goes on. */
  histories(after: HistoriesPlace | undefined, limit: number): Promise<HistoriesPage>;
  /** Side information, in the order of the ids. */
  itemInfos(items: readonly ItemId[]): Promise<readonly (ItemInfo | undefined)[]>;
  profile(user: UserId): Promise<ProfileDetails | undefined>;
  summary(): Promise<StateSummary>;
  verify(): Promise<VerifyReport>;
}

/** A line that a client read from a file and could not make an event of. */
export interface RefusedLine {
  readonly code: KindredError["code"];
  readonly message: string;
  /** `file 1f2e3d4c line 12` */
  readonly origin: string;
  /** The line as it was read. */
  readonly original: string;
  readonly user?: string;
  /** What was read from it, before it was checked. */
  readonly raw?: unknown;
}

export interface DeadLetters {
  /** Ascending by number. */
  list(options: { readonly after?: number; readonly limit: number }): Promise<DeadLetter[]>;
  /** Tries each again as it is (rules may have changed) or repaired; those taken leave the list and are events of the log. */
  replay(
    repairs: ReadonlyMap<number, unknown> | "all",
  ): Promise<{ readonly replayed: number; readonly failed: number; readonly position: Position }>;
}

/** Upper bounds of the buckets of `kindred_event_to_recall_seconds`, ascending; one more bucket holds what lies above. */
export const EVENT_TO_RECALL_BUCKETS_SECONDS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10,
] as const;
/** Upper bounds of the buckets of `kindred_index_swap_duration_seconds`. */
export const INDEX_SWAP_BUCKETS_SECONDS = [0.0001, 0.001, 0.01, 0.1, 1, 10, 60, 300, 1800] as const;

/** A histogram as counted by another thread. */
export interface HistogramCounts {
  /** Of each bucket alone (not cumulated), one longer than the bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Gauges of the fingerprint bands. */
export interface FingerprintBandCounts {
  /** Users of the largest bucket. */
  readonly largestBucket: number;
  /** Buckets with more users than a search compares. */
  readonly bucketsOverCap: number;
  /** Entries of users who left their bucket, until it is compacted. */
  readonly staleEntries: number;
}

/** How it is with the schema registry. */
export interface RegistryCounts {
  /** Gauge: schemas that records wait for. */
  readonly waiting: number;
  /** How often it did not answer. */
  readonly failures: number;
}

/** What the updater's thread counted since it started: all numbers only grow, but for the gauges. Sent by message. */
export interface UpdaterMetrics {
  /** By source (journal, file) and outcome (folded, duplicate, erased, skipped, dead-letter). */
  readonly events: readonly { readonly source: string; readonly outcome: string; readonly count: number }[];
  /** Accepted to recallable, in seconds, bounds EVENT_TO_RECALL_BUCKETS_SECONDS. */
  readonly eventToRecall: HistogramCounts;
  readonly deadLetters: readonly { readonly code: KindredError["code"]; readonly count: number }[];
  readonly indexSwaps: number;
  /** In seconds, bounds INDEX_SWAP_BUCKETS_SECONDS. */
  readonly indexSwapDuration: HistogramCounts;
  /** Gauge: records in the log that are not applied yet. */
  readonly sourceLagEvents: number;
  /** Gauge. */
  readonly stateRows: number;
  /** Gauge, 0..1: live answers against an exact scan; absent before the first comparison. */
  readonly indexRecallAtK?: number;
  /** Absent where there is no index. */
  readonly bands?: FingerprintBandCounts;
  /** Gauge: breadth of searches; absent before the index is open. */
  readonly indexEf?: number;
  /** CPU that measuring live recall took. */
  readonly indexMeasureCpuSeconds?: number;
  /** Absent where there is none. */
  readonly registry?: RegistryCounts;
}

/** Rows of one shard of an index, for metrics: `user-vectors-0-0` (generation and shard), `fingerprints`, ... */
export interface IndexShardRows {
  readonly shard: string;
  readonly rows: number;
}
