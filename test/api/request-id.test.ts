import { describe, expect, it } from "vitest";
import { requestIdOf } from "../../api/request-id.js";
import { testServer } from "./test-server.js";

describe("X-Request-ID", () => {
  it("is echoed, in the header and in the answer", async () => {
    const { call } = testServer();
    const answer = await call("GET", "/v1/recall/u2u?user=ada", undefined, { "x-request-id": "abc-123" });
    expect([answer.headers["x-request-id"], answer.body.requestId]).toEqual(["abc-123", "abc-123"]);
  });

  it("is echoed where the path is broken", async () => {
    const { call } = testServer();
    const answer = await call("GET", "/v1/users/%ZZ", undefined, { "x-request-id": "abc-123" });
    expect([answer.headers["x-request-id"], answer.body.requestId]).toEqual(["abc-123", "abc-123"]);
  });

  it.each([["x".repeat(129)], ["a b"], ["a\tb"], ["é"], [""]])("is made anew where %j came", (given) => {
    const id = requestIdOf({ headers: { "x-request-id": given } });
    expect(id).not.toBe(given);
    expect(id).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
  });

  it("takes 128 characters", () => {
    expect(requestIdOf({ headers: { "x-request-id": "x".repeat(128) } })).toBe("x".repeat(128));
  });

  it("is never the same twice", () => {
    const ids = Array.from({ length: 1000 }, () => requestIdOf({ headers: {} }));
    expect(new Set(ids).size).toBe(1000);
  });
});
