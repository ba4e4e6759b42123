import { TestScheduler } from "rxjs/testing";
import { describe, expect, it } from "vitest";
import { type Progress, reportProgress } from "../../../streams/operators/report-progress.js";

describe("reportProgress", () => {
  it("lets values pass at their time, and reports each interval and at the end", () => {
    const reports: Progress[] = [];
    const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
    scheduler.run(({ cold, expectObservable }) => {
      const values = { a: 10, b: 20, c: 5 };
      const source = cold("  a-b 2497ms c 1497ms |", values);
      const expected = "     a-b 2497ms c 1497ms |";
      expectObservable(
        source.pipe(
          reportProgress(
            1000,
            (events) => events,
            (progress) => reports.push(progress),
            scheduler,
          ),
        ),
      ).toBe(expected, values);
    });
    expect(reports).toEqual([
      { events: 30, eventsPerSecond: 30, seconds: 1 },
      { events: 30, eventsPerSecond: 0, seconds: 2 },
      { events: 35, eventsPerSecond: 5, seconds: 3 },
      { events: 35, eventsPerSecond: 0, seconds: 3.998 },
    ]);
  });

  it("stops reporting when it is unsubscribed or the source fails", () => {
    const reports: Progress[] = [];
    const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
    scheduler.run(({ cold, expectObservable }) => {
      const quiet = cold("a----");
      expectObservable(
        quiet.pipe(
          reportProgress(
            1000,
            () => 1,
            (progress) => reports.push(progress),
            scheduler,
          ),
        ),
        "^ 1500ms !",
      ).toBe("a----");
      const failing = cold("a 99ms #");
      expectObservable(
        failing.pipe(
          reportProgress(
            1000,
            () => 1,
            (progress) => reports.push(progress),
            scheduler,
          ),
        ),
      ).toBe("a 99ms #");
    });
    expect(reports).toEqual([{ events: 1, eventsPerSecond: 1, seconds: 1 }]);
  });
});
