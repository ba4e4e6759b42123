import { asyncScheduler, type MonoTypeOperatorFunction, retry, type SchedulerLike, throwError, timer } from "rxjs";
import { KindredError } from "../../schemas/errors.js";

export interface Backoff {
  /** Before the first retry; doubles with each that follows. */
  readonly initialMs: number;
  readonly maxMs: number;
  /** Retries in a row before the error goes on. */
  readonly retries: number;
}

export const DEFAULT_BACKOFF: Backoff = { initialMs: 50, maxMs: 5000, retries: 10 };

/** Subscribes again after an error that says it can be retried, waiting longer each time; a value resets the wait. Other errors go on at once. */
export function retryWithBackoff<T>(
  { initialMs, maxMs, retries }: Backoff,
  scheduler: SchedulerLike = asyncScheduler,
): MonoTypeOperatorFunction<T> {
  return retry({
    count: retries,
    resetOnSuccess: true,
    delay: (error: unknown, attempt) =>
      error instanceof KindredError && error.canRetry
        ? timer(Math.min(maxMs, initialMs * 2 ** (attempt - 1)), scheduler)
        : throwError(() => error),
  });
}
