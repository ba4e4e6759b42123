import { MessageChannel } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { answerCalls, RemoteCalls } from "../../../cli/wiring/port-calls.js";
import { KindredError } from "../../../schemas/errors.js";

type Offered = {
  double(n: number): Promise<number>;
  position(): Promise<Map<number, number>>;
  refuse(): Promise<void>;
  crash(): Promise<void>;
  never(): Promise<void>;
};

describe("calls over a port", () => {
  const { port1, port2 } = new MessageChannel();
  const calls = new RemoteCalls<Offered>(port1);
  answerCalls<Offered>(port2, {
    double: async (n) => 2 * n,
    position: async () => new Map([[0, 7]]),
    refuse: async () => {
      throw new KindredError("OVERLOADED", "too much", "journal", { retryAfterSeconds: 3 });
    },
    crash: async () => {
      throw new TypeError("no such thing");
    },
    never: () => new Promise(() => undefined),
  });

  it("give each caller its own answer, in any order", async () => {
    expect(await Promise.all([1, 2, 3].map((n) => calls.call("double", n)))).toEqual([2, 4, 6]);
    expect(await calls.call("position")).toEqual(new Map([[0, 7]]));
  });

  it("keep an error's code, place and advice when to come back", async () => {
    await expect(calls.call("refuse")).rejects.toMatchObject({
      name: "KindredError",
      code: "OVERLOADED",
      status: 503,
      message: "too much (journal)",
      retryAfterSeconds: 3,
    });
  });

  it("make an unforeseen error INTERNAL, with where it came from", async () => {
    const error = await calls.call("crash").catch((e: unknown) => e as KindredError);
    expect(error).toMatchObject({ code: "INTERNAL", message: "no such thing" });
    expect(String((error as KindredError).cause)).toContain("TypeError");
    await expect(calls.call("toString" as "crash")).rejects.toMatchObject({ code: "INTERNAL" });
  });

  it("end with an error when the other side is gone", async () => {
    const waiting = calls.call("never");
    calls.close(new KindredError("NOT_READY", "the updater has stopped"));
    await expect(waiting).rejects.toMatchObject({ code: "NOT_READY" });
    await expect(calls.call("double", 1)).rejects.toMatchObject({ code: "NOT_READY" });
    port1.close();
  });
});
