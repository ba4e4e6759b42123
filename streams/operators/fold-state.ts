import { concatMap, defer, filter, type OperatorFunction } from "rxjs";
import type { FoldingState } from "../folding-state.js";
import type { DecodedBatch, FoldedStep } from "./batches.js";

/** A backlog shows that it is worked off at least so often. */
const MOST_OPEN_MS = 10_000;

type Counted = Omit<FoldedStep, "folded">;

/**
 * Folds batches strictly one after the other. The next may be folded while the checkpoint of the last is being written. While the log has much
 * more, what several batches changed becomes one step: their rows are written once. A batch with dead letters ends one.
 * @param now a clock that never goes back, ms
 */
export function foldState(state: FoldingState, now: () => number = () => performance.now()): OperatorFunction<DecodedBatch, FoldedStep> {
  return (batches) =>
    defer(() => {
      let open: { readonly since: number; readonly counted: Counted } | undefined;
      const fold = async (batch: DecodedBatch): Promise<FoldedStep | undefined> => {
        const { records, endOffset, more } = batch;
        const since = open?.since ?? now();
        const counted = open === undefined ? countedOf(batch) : joined(open.counted, batch);
        const mayWait = more && batch.letters.length === 0 && now() - since < MOST_OPEN_MS;
        const folded = await (mayWait ? state.foldOn(records, endOffset) : state.fold(records, endOffset));
        open = folded === undefined ? { since, counted } : undefined;
        if (folded !== undefined) return { ...counted, folded };
        batch.acknowledge();
        return undefined;
      };
      return batches.pipe(
        concatMap(fold),
        filter((step) => step !== undefined),
      );
    });
}

const countedOf = ({ records, more: _more, ...batch }: DecodedBatch): Counted => ({ ...batch, records: records.length });

function joined(before: Counted, batch: DecodedBatch): Counted {
  const accepted = [before.acceptedAt, batch.acceptedAt].filter((at) => at > 0);
  return {
    ...countedOf(batch),
    records: before.records + batch.records.length,
    unreadable: before.unreadable + batch.unreadable,
    acceptedAt: accepted.length === 0 ? 0 : Math.min(...accepted),
  };
}
