import { asyncScheduler, type MonoTypeOperatorFunction, Observable, type SchedulerLike } from "rxjs";

export interface Progress {
  /** Counted since the stream began. */
  readonly events: number;
  /** Over the last interval. */
  readonly eventsPerSecond: number;
  /** Since the stream began. */
  readonly seconds: number;
}

/**
 * Lets values pass and reports, every `intervalMs` and at the end, how many events they carried. Quiet intervals report too:
 * a rate of 0 is news.
 */
export function reportProgress<T>(
  intervalMs: number,
  eventsOf: (value: T) => number,
  report: (progress: Progress) => void,
  scheduler: SchedulerLike = asyncScheduler,
): MonoTypeOperatorFunction<T> {
  return (source) =>
    new Observable((subscriber) => {
      const startedAt = scheduler.now();
      let events = 0;
      let reported = { events: 0, at: startedAt };
      const tell = (): void => {
        const at = scheduler.now();
        const elapsed = at - reported.at;
        report({
          events,
          eventsPerSecond: elapsed > 0 ? ((events - reported.events) * 1000) / elapsed : 0,
          seconds: (at - startedAt) / 1000,
        });
        reported = { events, at };
      };
      subscriber.add(
        scheduler.schedule(function () {
          tell();
          this.schedule(undefined, intervalMs);
        }, intervalMs),
      );
      subscriber.add(
        source.subscribe({
          next: (value) => {
            events += eventsOf(value);
            subscriber.next(value);
          },
          error: (error) => subscriber.error(error),
          complete: () => {
            tell();
            subscriber.complete();
          },
        }),
      );
    });
}
