import { concat, defer, throwError } from "rxjs";
import { TestScheduler } from "rxjs/testing";
import { describe, expect, it } from "vitest";
import { KindredError } from "../../../schemas/errors.js";
import { retryWithBackoff } from "../../../streams/operators/retry-with-backoff.js";

const overloaded = new KindredError("OVERLOADED", "later");
const corrupt = new KindredError("JOURNAL_CORRUPT", "never");
const backoff = { initialMs: 10, maxMs: 35, retries: 4 };

describe("retryWithBackoff", () => {
  const run = (test: Parameters<TestScheduler["run"]>[0]): void => {
    new TestScheduler((actual, expected) => expect(actual).toEqual(expected)).run(test);
  };

  it("waits longer each time up to the limit, then lets the error go on", () => {
    run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold("#", {}, overloaded);
      expectObservable(source.pipe(retryWithBackoff(backoff))).toBe("100ms #", {}, overloaded);
      expectSubscriptions(source.subscriptions).toBe(["(^!)", "10ms (^!)", "30ms (^!)", "65ms (^!)", "100ms (^!)"]);
    });
  });

  it("waits briefly again after a value", () => {
    run(({ cold, expectObservable }) => {
      const attempts = [cold("#", {}, overloaded), cold("#", {}, overloaded), cold("a#", undefined, overloaded), cold("b|")];
      let attempt = 0;
      const source = defer(() => attempts[attempt++] as (typeof attempts)[number]);
      //                                                        10 + 20 ms, a, #, 10 ms, b
      expectObservable(source.pipe(retryWithBackoff(backoff))).toBe("30ms a 10ms b|");
    });
  });

  it("lets an error that no retry can help go on at once", () => {
    run(({ cold, expectObservable }) => {
      expectObservable(
        concat(
          cold("a|"),
          throwError(() => corrupt),
        ).pipe(retryWithBackoff(backoff)),
      ).toBe("a#", { a: "a" }, corrupt);
    });
  });
});
