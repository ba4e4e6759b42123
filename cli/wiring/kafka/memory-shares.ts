import type { Config } from "../../../schemas/config.js";

/** Least worth a turn of its own. */
const LEAST_AT_ONCE = 512;

/**
 * Records of a partition that go through the pipeline together. Of all partitions together it is twice what the journal's
 * one has: more outlives the collector's young generation, which costs more than folding it.
 */
export function recordsAtOnce({ pipeline: { batchEvents } }: Pick<Config, "pipeline">, partitions: number): number {
  return Math.min(batchEvents, Math.max(LEAST_AT_ONCE, Math.ceil((2 * batchEvents) / partitions)));
}

/** Rows that a partition keeps in memory. */
export const cacheRowsOf = ({ pipeline }: Pick<Config, "pipeline">, partitions: number): number =>
  Math.ceil(pipeline.cacheRows / partitions);

/** Rows of one commit of a backlog: their bytes are in memory twice until the changelog has them. */
export const MOST_OPEN_ROWS = 16_384;

/** What restores may keep in memory before rows are made of it: of all partitions of a process together, and at least of each. */
const RESTORE_BYTES = { together: 256 << 20, each: 8 << 20 } as const;

/** What the restore of a partition may keep in memory. */
export const restoreBytes = (partitions: number): number => Math.max(RESTORE_BYTES.each, Math.floor(RESTORE_BYTES.together / partitions));
