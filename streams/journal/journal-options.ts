import type { EpochMs } from "../../schemas/ids.js";

/** All optional; what is absent takes the default. */
export interface JournalOptions {
  /** Clock of `acceptedAt`. */
  readonly now?: () => EpochMs;
  /** Acknowledged but not applied records above which nothing is taken; 500,000. */
  readonly maxLagEvents?: number;
  /** Encoded bytes waiting for the disk above which nothing is taken; 64 MiB. */
  readonly maxPendingBytes?: number;
  /** Records waiting for the disk above which nothing is taken; 200,000. */
  readonly maxPendingRecords?: number;
  /** Payload keys kept in memory; 65,536. */
  readonly keyCacheEntries?: number;
  /** Memory for the newest records, so that a pipeline that keeps up reads no store; 16 MiB. 0 = none. */
  readonly recentBytes?: number;
  /** Most dead letters kept; 100,000. */
  readonly maxDeadLetters?: number;
}

export const JOURNAL_DEFAULTS: Required<JournalOptions> = {
  now: Date.now,
  maxLagEvents: 500_000,
  maxPendingBytes: 64 << 20,
  maxPendingRecords: 200_000,
  keyCacheEntries: 65_536,
  recentBytes: 16 << 20,
  maxDeadLetters: 100_000,
};
