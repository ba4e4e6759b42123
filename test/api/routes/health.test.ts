import { describe, expect, it } from "vitest";
import { testServer } from "../test-server.js";

describe("health", () => {
  it("is alive while it is not ready, and says what it waits for", async () => {
    const server = testServer();
    expect((await server.call("GET", "/readyz")).body).toEqual({ status: "ready" });
    server.notReady = "catching up: 5,000 records";
    expect((await server.call("GET", "/healthz")).body).toEqual({ status: "ok" });
    const ready = await server.call("GET", "/readyz");
    expect([ready.status, ready.body.code, ready.body.detail, ready.headers["retry-after"]]).toEqual([
      503,
      "NOT_READY",
      "catching up: 5,000 records",
      "1",
    ]);
    expect((await server.call("GET", "/metrics")).status).toBe(200);
    expect((await server.call("GET", "/v1/recall/u2u?user=a")).status).toBe(503);
  });
});
