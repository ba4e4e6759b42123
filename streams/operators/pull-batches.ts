import { Observable } from "rxjs";
import { KindredError } from "../../schemas/errors.js";
import type { Offset } from "../../schemas/ids.js";
import type { LogReader, SourceBatch } from "../../schemas/ports/event-log.js";
import type { PulledBatch } from "./batches.js";

export interface PullOptions {
  /** Reading begins after this offset. */
  readonly from: Offset;
  /** Batches that may be under way, unacknowledged, at once. 1.. */
  readonly credits: number;
  /** Most records of a batch. 1.. */
  readonly maxRecords: number;
  /** Asked before each read and at each acknowledgement: true = there is work to do between records, don't wait for them. */
  readonly hurry?: () => boolean;
  /** Ends the stream after the batches under way: no further one is asked for. */
  readonly signal?: AbortSignal;
}

/**
 * A log as a stream of micro-batches that is pulled: the next batch is asked for only while fewer than `credits` are
 * unacknowledged, so what the log holds stays in the log. Completes when a finite log has ended or `signal` aborts;
 * unsubscribing aborts the read.
 */
export function pullBatches(reader: LogReader, options: PullOptions): Observable<PulledBatch> {
  if (options.credits < 1 || options.maxRecords < 1) throw new KindredError("INVALID_ARGUMENT", "credits and maxRecords begin at 1");
  return new Observable((subscriber) => {
    let position = options.from;
    let unacknowledged = 0;
    /** The read under way; `patient` waits for records as long as it takes. */
    let reading: { readonly patient: boolean; replaced: boolean } | undefined;
    let abort = new AbortController();

    const stopped = (): boolean => subscriber.closed || options.signal?.aborted === true;
    const stop = (): void => {
      if (reading === undefined) subscriber.complete();
      else abort.abort();
    };
    const acknowledgeOnce = (): (() => void) => {
      let done = false;
      return () => {
        if (done) return;
        done = true;
        unacknowledged--;
        if (reading?.patient === true && options.hurry?.() === true) {
          reading.replaced = true;
          abort.abort();
          abort = new AbortController();
        } else pull();
      };
    };
    const pull = (): void => {
      if (reading !== undefined || unacknowledged >= options.credits || subscriber.closed) return;
      if (options.signal?.aborted === true) subscriber.complete();
      else read(options.hurry?.() === true);
    };
    const read = (hurry: boolean): void => {
      const own = { patient: !hurry, replaced: false };
      reading = own;
      const deliver = (batch: SourceBatch | null): void => {
        reading = undefined;
        if (batch === null && !own.replaced) {
          subscriber.complete();
          return;
        }
        if (batch !== null && !stopped()) {
          position = batch.endOffset;
          unacknowledged++;
          subscriber.next({ batch, acknowledge: acknowledgeOnce() });
        }
        pull();
      };
      reader
        .read(position, { maxRecords: options.maxRecords, signal: abort.signal, ...(hurry && { waitMs: 0 }) })
        .then(deliver, (error) => subscriber.error(error));
    };

    options.signal?.addEventListener("abort", stop);
    subscriber.add(() => {
      options.signal?.removeEventListener("abort", stop);
      abort.abort();
    });
    pull();
  });
}
