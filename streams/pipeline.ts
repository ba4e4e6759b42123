import type { Observable } from "rxjs";
import { KindredError } from "../schemas/errors.js";
import type { EpochMs } from "../schemas/ids.js";
import type { LogReader } from "../schemas/ports/event-log.js";
import { MAX_BATCH_RECORDS, MAX_UNCOMMITTED } from "../schemas/ports/folded-batch.js";
import type { FoldingState } from "./folding-state.js";
import type { NewDeadLetter } from "./new-dead-letter.js";
import type { AppliedBatch } from "./operators/batches.js";
import { checkpoint } from "./operators/checkpoint.js";
import { type Decode, decodeRecords } from "./operators/decode-records.js";
import { divertDeadLetters } from "./operators/divert-dead-letters.js";
import { foldState } from "./operators/fold-state.js";
import { publishRows, type RowPublisher } from "./operators/publish-rows.js";
import { pullBatches } from "./operators/pull-batches.js";
import { decodeRecord } from "./record-codec.js";
import { RetryingReader } from "./retrying-reader.js";

export interface PipelineParts {
  readonly reader: LogReader;
  readonly state: FoldingState;
  readonly publisher: RowPublisher;
  /** Durable when it resolves. */
  readonly keepLetters: (letters: readonly NewDeadLetter[]) => Promise<void>;
  /** Told of every batch once it is visible: waiters on a position, the log's bound on lag, metrics. */
  readonly applied?: (batch: AppliedBatch) => void;
  /** Clock of freshness. */
  readonly now?: () => EpochMs;
  readonly decode?: Decode;
  /** What the log is called in the origin of a dead letter: `journal`, the name of a topic. */
  readonly source?: string;
}

export interface PipelineOptions {
  /** Most records folded into one atomic write; 4,096. 1..16,384 */
  readonly maxRecords?: number;
  /** Batches under way at once; 2: one is folded while another is written. 1..4 */
  readonly credits?: number;
  /** Ends it after the batches under way. */
  readonly signal?: AbortSignal;
}

/**
 * From the log to what readers see: pull → decode → dead letters → fold → checkpoint → publish → acknowledge. Begins where the
 * state was committed; runs until the log ends or `signal` aborts, and then completes once everything under way is published.
 * An error ends it: the state is to be opened again, and a new pipeline begins at its stored position.
 * @throws KindredError INVALID_ARGUMENT for options out of their range
 */
export function pipeline(parts: PipelineParts, options: PipelineOptions = {}): Observable<AppliedBatch> {
  const { state } = parts;
  const { credits = 2, maxRecords = 4096 } = options;
  if (credits > MAX_UNCOMMITTED || maxRecords > MAX_BATCH_RECORDS)
    throw new KindredError("INVALID_ARGUMENT", `credits end at ${MAX_UNCOMMITTED}, maxRecords at ${MAX_BATCH_RECORDS}`);
  return pullBatches(new RetryingReader(parts.reader), {
    from: state.appliedOffset,
    credits,
    maxRecords,
    hurry: () => state.migrating,
    ...(options.signal !== undefined && { signal: options.signal }),
  }).pipe(
    decodeRecords(parts.decode ?? (({ bytes }) => decodeRecord(bytes)), parts.source ?? "journal"),
    divertDeadLetters(parts.keepLetters),
    foldState(state),
    checkpoint(state),
    publishRows(parts.publisher, parts.applied ?? (() => {}), parts.now ?? Date.now),
  );
}

/** Runs a pipeline; resolves when it has completed. @throws what ended it */
export function runPipeline(parts: PipelineParts, options: PipelineOptions = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    pipeline(parts, options).subscribe({ error: reject, complete: resolve });
  });
}
