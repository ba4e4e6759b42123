import { concatMap, type OperatorFunction } from "rxjs";
import type { FoldingState } from "../folding-state.js";
import type { DecodedBatch, FoldedStep } from "./batches.js";

/** Folds batches strictly one after the other. The next may be folded while the checkpoint of the last is being written. */
export function foldState(state: FoldingState): OperatorFunction<DecodedBatch, FoldedStep> {
  return concatMap(async (batch) => ({ ...batch, folded: await state.fold(batch.records, batch.endOffset) }));
}
