import { concatMap, type MonoTypeOperatorFunction } from "rxjs";
import type { FoldingState } from "../folding-state.js";
import type { FoldedStep } from "./batches.js";

/** Commits rows, keys and position in one atomic batch, in order; a batch goes on once it is committed. */
export function checkpoint(state: FoldingState): MonoTypeOperatorFunction<FoldedStep> {
  return concatMap(async (step) => {
    await state.commit(step.folded, step.acceptedAt);
    return step;
  });
}
