import type { EpochMs, Offset, Partition } from "../ids.js";
import type { FoldedBatch, RowsAre } from "./folded-batch.js";

/** Rows and their pooled vectors, as the read model takes them. */
export type PublishedRows = Pick<FoldedBatch, "rows" | "erased" | "vectors">;

/** A partition's rows, to fill and to catch up what recall reads: of its owner, or of a replica. */
export interface RowSource {
  readonly partition: Partition;
  /** Up to here the rows know of the log. */
  readonly appliedOffset: Offset;
  /** Newest event time by then. */
  readonly eventTime: EpochMs;
  /** The catalogue that the rows are of, now. */
  summary(): RowsAre;
  /** All rows, in batches. */
  scanRows(batchRows?: number): AsyncIterable<PublishedRows>;
  /** Rows that may be others than they were at `offset`; users who are gone are named. Undefined where that is not known. */
  changedSince(offset: Offset, batchRows?: number): AsyncIterable<PublishedRows> | undefined;
}
