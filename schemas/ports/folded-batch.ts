import type { CatalogueNumber, EpochMs, Generation, Offset, Partition, UserId } from "../ids.js";
import type { PublishedRow } from "./read-model.js";

/** Most records folded into one batch, which is written atomically. */
export const MAX_BATCH_RECORDS = 16_384;
/** Most folded batches that a state lets wait for their commit: what may be under way in the pipeline. */
export const MAX_UNCOMMITTED = 4;

/** What became of the records of one micro-batch. */
export interface FoldCounts {
  readonly folded: number;
  /** Same idempotency key of the same user within its window. */
  readonly duplicates: number;
  /** Events of an erased user from before the erasure. */
  readonly erased: number;
  /** At or below the stored position. */
  readonly skipped: number;
}

/** A folded micro-batch: committed to the store first, published to readers next. */
export interface FoldedBatch {
  readonly partition: Partition;
  readonly endOffset: Offset;
  /** Newest event time folded so far. */
  readonly eventTime: EpochMs;
  readonly rows: readonly PublishedRow[];
  /** Users without a row after the batch, and those it erased who acted again within it: they come before `rows`, among which these are anew. */
  readonly erased: readonly UserId[];
  /** Pooled vectors of `rows`, one matrix (rows.length x dims, row-major) a live generation; zeros where there is none. */
  readonly vectors: readonly { readonly generation: Generation; readonly dims: number; readonly values: Float32Array }[];
  readonly counts: FoldCounts;
  /** How the partition's rows are once this is in. */
  readonly rowsAre: RowsAre;
}

/** Which catalogue rows are of. */
export interface RowsAre {
  /** The active one; 0 before the first. */
  readonly catalogue: CatalogueNumber | 0;
  /** Some are of an earlier one yet. */
  readonly migrating: boolean;
}
