import type { EpochMs, Offset } from "../schemas/ids.js";
import type { PositionedRecord } from "../schemas/log-record.js";
import type { FoldedBatch } from "../schemas/ports/folded-batch.js";

/** What the pipeline needs of a partition's state (`PartitionState` of state/). */
export interface FoldingState {
  /** Committed up to here: where reading begins. */
  readonly appliedOffset: Offset;
  /** Rows wait to be recomputed for a new catalogue; folding nothing carries that on. */
  readonly migrating: boolean;
  /** One at a time; may run while the commits of earlier batches are being written. */
  fold(records: readonly PositionedRecord[], endOffset: Offset): Promise<FoldedBatch>;
  /** As `fold`, but may keep what it folded for a later batch: undefined then. */
  foldOn(records: readonly PositionedRecord[], endOffset: Offset): Promise<FoldedBatch | undefined>;
  /**
   * In the order of folding. After it failed the state has to be opened again.
   * @param acceptedAt when the log took the oldest record of the batch
   */
  commit(folded: FoldedBatch, acceptedAt?: EpochMs): Promise<void>;
}
