import { describe, expect, it } from "vitest";
import { NOW, testServer } from "./test-server.js";

const event = { user: "ada", item: "song:1", action: "play", ts: NOW };

/** A server whose log takes nothing until `release()`. */
function stuck(settings: { maxRequestsInFlight?: number; maxBodyBytesInFlight?: number }) {
  const server = testServer({ settings });
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const append = server.intake.append.bind(server.intake);
  let entered = 0;
  server.intake.append = async (events) => {
    entered++;
    await held;
    return append(events);
  };
  const until = async (count: number): Promise<void> => {
    while (entered < count) await new Promise((resolve) => setImmediate(resolve));
  };
  return { ...server, release, until };
}

describe("requests in flight", () => {
  it("are bounded: one too many gets 503 with Retry-After, and there is room again afterwards", async () => {
    const { call, release, until } = stuck({ maxRequestsInFlight: 2 });
    const held = [1, 2].map(() => call("POST", "/v1/events", { events: [event] }));
    await until(2);
    const refused = await call("GET", "/v1/scenarios");
    expect([refused.status, refused.body.code, refused.headers["retry-after"]]).toEqual([503, "OVERLOADED", "1"]);
    expect((await call("GET", "/healthz")).status).toBe(200);
    release();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([202, 202]);
    expect((await call("GET", "/v1/scenarios")).status).toBe(200);
  });

  it("hold no more bytes of bodies than allowed; requests without a body go on", async () => {
    const { call, release, until } = stuck({ maxBodyBytesInFlight: 1000 });
    const large = { events: [{ ...event, note: "n".repeat(800) }] };
    const held = call("POST", "/v1/events", large);
    await until(1);
    expect((await call("POST", "/v1/events", large)).body.code).toBe("OVERLOADED");
    expect((await call("GET", "/v1/scenarios")).status).toBe(200);
    release();
    expect((await held).status).toBe(202);
    expect((await call("POST", "/v1/events", large)).status).toBe(202);
  });

  it("one body alone is taken up to the body limit", async () => {
    const { call } = testServer({ settings: { maxBodyBytesInFlight: 10 } });
    expect((await call("POST", "/v1/events", { events: [event] })).status).toBe(202);
  });

  it("give their room back when they fail", async () => {
    const { call } = testServer({ settings: { maxRequestsInFlight: 1 } });
    for (let i = 0; i < 3; i++) expect((await call("POST", "/v1/events", "{")).status).toBe(400);
    expect((await call("GET", "/v1/scenarios")).status).toBe(200);
  });
});
