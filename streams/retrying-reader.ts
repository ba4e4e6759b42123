import { defer, firstValueFrom, fromEvent, takeUntil } from "rxjs";
import { KindredError } from "../schemas/errors.js";
import type { Offset } from "../schemas/ids.js";
import type { LogReader, ReadOptions, SourceBatch } from "../schemas/ports/event-log.js";
import { type Backoff, DEFAULT_BACKOFF, retryWithBackoff } from "./operators/retry-with-backoff.js";

/** A reader that reads again after errors that can be retried: reading changes nothing, so that is always safe. */
export class RetryingReader implements LogReader {
  constructor(
    readonly reader: LogReader,
    readonly backoff: Backoff = DEFAULT_BACKOFF,
  ) {}

  async read(after: Offset, options: ReadOptions): Promise<SourceBatch | null> {
    try {
      return await this.reader.read(after, options);
    } catch (error) {
      if (!(error instanceof KindredError && error.canRetry) || options.signal.aborted) throw error;
      const again = defer(() => this.reader.read(after, options)).pipe(
        retryWithBackoff(this.backoff),
        takeUntil(fromEvent(options.signal, "abort")),
      );
      return firstValueFrom(again, { defaultValue: null });
    }
  }
}
