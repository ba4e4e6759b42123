import type { EpochMs, Offset, Partition } from "../../schemas/ids.js";
import type { PositionedRecord } from "../../schemas/log-record.js";
import type { SourceBatch } from "../../schemas/ports/event-log.js";
import type { FoldCounts, FoldedBatch } from "../../schemas/ports/folded-batch.js";
import type { NewDeadLetter } from "../new-dead-letter.js";

/** A micro-batch on its way through the pipeline: each step adds what it made of it. */
export interface PulledBatch {
  readonly batch: SourceBatch;
  /** Gives the credit back: the source may be asked for one more. Once; further calls do nothing. */
  acknowledge(): void;
}

export interface DecodedBatch {
  readonly partition: Partition;
  readonly endOffset: Offset;
  readonly records: readonly PositionedRecord[];
  readonly letters: readonly NewDeadLetter[];
  /** Records whose key an erasure dropped. */
  readonly unreadable: number;
  /** When the log took the oldest record of the batch; 0 = unknown. */
  readonly acceptedAt: EpochMs;
  /** Others follow soon: its rows may wait for theirs. */
  readonly more: boolean;
  acknowledge(): void;
}

export interface FoldedStep extends Omit<DecodedBatch, "records" | "more"> {
  readonly records: number;
  readonly folded: FoldedBatch;
}

/** A batch that is durable in the state and visible to readers. */
export interface AppliedBatch {
  readonly partition: Partition;
  readonly endOffset: Offset;
  /** Records decoded, letters diverted and records skipped because of an erasure. */
  readonly records: number;
  readonly letters: readonly NewDeadLetter[];
  readonly unreadable: number;
  readonly counts: FoldCounts;
  /** Oldest record accepted by the log (0 = unknown), and when the batch became visible: the difference is freshness. */
  readonly acceptedAt: EpochMs;
  readonly publishedAt: EpochMs;
}
