import type { EpochMs } from "../ids.js";

/**
 * A partition's rows as they change, for whoever has to make them again: the owner after a lost disk, a standby, a recall node. The
 * newest record of each key holds; a value of null deletes. `state/changelog-records.ts` says what keys and values are.
 */
export interface ChangelogRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** How old the events of a commit are, for whoever measures how fresh its rows are once they are recallable. */
export interface CommitAge {
  /** When the log took the oldest of them; 0 = unknown. */
  readonly acceptedAt: EpochMs;
  /** How many were folded. */
  readonly events: number;
}

/** Where a partition's owner writes what each commit changes, before its own store has it. */
export interface ChangelogWriter {
  /**
   * Durable, all or none, when it resolves. The records are the caller's again then.
   * @returns where reading goes on behind them
   * @throws KindredError OWNERSHIP_LOST (another process has taken the partition: nothing may be written any more), BROKER_FAILED
   */
  write(records: readonly ChangelogRecord[], age?: CommitAge): Promise<number>;
}

/** Records of a changelog in their order. */
export interface ChangelogBatch {
  readonly records: readonly ChangelogRecord[];
  /** Where reading goes on: also behind records that are gone, or were never shown. */
  readonly next: number;
}

/** A partition's changelog, read from any place. */
export interface ChangelogReader {
  /**
   * What follows `from`, up to what was there when the call was made: whole commits only.
   * @param from 0 = everything that is kept
   */
  read(from: number, options: { readonly signal: AbortSignal }): AsyncIterable<ChangelogBatch>;
}
