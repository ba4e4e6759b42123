import { map, type OperatorFunction } from "rxjs";
import type { EpochMs } from "../../schemas/ids.js";
import type { FoldedBatch } from "../../schemas/ports/folded-batch.js";
import type { AppliedBatch, FoldedStep } from "./batches.js";

/** Makes committed rows visible to readers; when it returns they are found by every search that begins. */
export interface RowPublisher {
  publish(folded: FoldedBatch): void;
}

/**
 * Publishes committed batches and then acknowledges them: a credit comes back only when readers see the batch.
 * @param applied told how far it has come, before the credit comes back
 */
export function publishRows(
  publisher: RowPublisher,
  applied: (batch: AppliedBatch) => void,
  now: () => EpochMs,
): OperatorFunction<FoldedStep, AppliedBatch> {
  return map(({ folded, records, letters, unreadable, acceptedAt, acknowledge }) => {
    publisher.publish(folded);
    const batch: AppliedBatch = {
      partition: folded.partition,
      endOffset: folded.endOffset,
      records,
      letters,
      unreadable,
      counts: folded.counts,
      acceptedAt,
      publishedAt: now(),
    };
    applied(batch);
    acknowledge();
    return batch;
  });
}
