import { describe, expect, it } from "vitest";
import { LatePart } from "../../../cli/wiring/late-part.js";

class Counter {
  #count = 0;
  next(): number {
    return ++this.#count;
  }
}

describe("LatePart", () => {
  it("is NOT_READY until the part is there, and then is the part, private fields and all", () => {
    const late = new LatePart<Counter>("the counter");
    const { proxy } = late;
    expect(() => proxy.next()).toThrow(expect.objectContaining({ code: "NOT_READY", status: 503 }));
    expect(() => late.get()).toThrow(expect.objectContaining({ code: "NOT_READY" }));
    late.set(new Counter());
    expect([proxy.next(), proxy.next(), late.get().next()]).toEqual([1, 2, 3]);
  });
});
