import { describe, expect, it } from "vitest";
import { NOW, sharedServer, testServer } from "../test-server.js";

const good = { user: "ada", item: "song:1", action: "play", ts: NOW };
const ndjson = { "content-type": "application/x-ndjson" };
type Taken = { accepted: number; rejected: { index: number; code: string; message: string }[]; position: string };

describe("POST /v1/events", () => {
  it("takes events and gives the position after them", async () => {
    const { call, intake } = testServer();
    const answer = await call<Taken>("POST", "/v1/events", { events: [good, { ...good, item: "song:2" }] });
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ accepted: 2, rejected: [], position: "k1-0.2" });
    expect(intake.rows.get("ada" as never)?.events).toBe(2);
  });

  it("takes the good ones and refuses the others by index and code", async () => {
    const { call, intake } = testServer();
    const bad: [unknown, string][] = [
      ["text", "EVENT_NOT_AN_OBJECT"],
      [null, "EVENT_NOT_AN_OBJECT"],
      [[good], "EVENT_NOT_AN_OBJECT"],
      [{ ...good, user: "" }, "EVENT_USER"],
      [{ ...good, user: 7 }, "EVENT_USER"],
      [{ ...good, user: "x".repeat(129) }, "EVENT_USER"],
      [{ ...good, user: "\ud800" }, "EVENT_USER"],
      [{ ...good, item: undefined }, "EVENT_ITEM"],
      [{ ...good, item: "y".repeat(129) }, "EVENT_ITEM"],
      [{ ...good, action: "teleport" }, "EVENT_ACTION"],
      [{ ...good, action: "toString" }, "EVENT_ACTION"],
      [{ ...good, ts: NOW + 61_000 }, "EVENT_TIME"],
      [{ ...good, ts: "NaN" }, "EVENT_TIME"],
      [{ ...good, ts: "2024-02-30T00:00:00Z" }, "EVENT_TIME"],
      [{ ...good, ts: -1 }, "EVENT_TIME"],
      [{ ...good, id: "i".repeat(65) }, "EVENT_ID"],
      [{ ...good, value: "NaN" }, "EVENT_VALUE"],
      [{ ...good, value: -1 }, "EVENT_VALUE"],
    ];
    const answer = await call<Taken>("POST", "/v1/events", { events: [good, ...bad.map(([event]) => event), { ...good, item: "song:2" }] });
    expect(answer.status).toBe(202);
    expect(answer.body.accepted).toBe(2);
    expect(answer.body.rejected.map(({ index, code }) => [index, code])).toEqual(bad.map(([, code], i) => [i + 1, code]));
    expect([...(intake.rows.get("ada" as never)?.weights.keys() ?? [])]).toEqual(["song:1", "song:2"]);
  });

  it("answers 202 with nothing accepted when all are refused", async () => {
    const { call } = testServer();
    const answer = await call<Taken>("POST", "/v1/events", { events: [{}] });
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ accepted: 0, rejected: [{ index: 0, code: "EVENT_USER" }], position: "k1" });
  });

  it("reads NDJSON: blank lines are skipped and not counted, bad lines refused alone, half a line at the end too", async () => {
    const { call } = testServer();
    const line = JSON.stringify(good);
    const body = [line, "", "  \r", `${line}\r`, "{bad", '{"user":NaN}', line.slice(0, 20)].join("\n");
    const answer = await call<Taken>("POST", "/v1/events", body, ndjson);
    expect(answer.status).toBe(202);
    expect(answer.body.accepted).toBe(2);
    expect(answer.body.rejected.map(({ index, code }) => [index, code])).toEqual([
      [2, "INVALID_JSON"],
      [3, "INVALID_JSON"],
      [4, "INVALID_JSON"],
    ]);
    expect(answer.body.rejected[2]?.message).toContain("no newline ends");
  });

  it("takes a whole last line that no newline ends", async () => {
    const { call } = testServer();
    expect((await call<Taken>("POST", "/v1/events", JSON.stringify(good), ndjson)).body.accepted).toBe(1);
  });

  it("refuses a line that is not UTF-8 or too long, alone", async () => {
    const { call } = testServer({ settings: { maxLineBytes: 200 } });
    const line = Buffer.from(`${JSON.stringify(good)}\n`);
    const long = Buffer.from(`${JSON.stringify({ ...good, note: "n".repeat(300) })}\n`);
    const answer = await call<Taken>(
      "POST",
      "/v1/events",
      Buffer.concat([line, Buffer.from([0x22, 0xff, 0x22, 0x0a]), long, line]),
      ndjson,
    );
    expect(answer.body.accepted).toBe(2);
    expect(answer.body.rejected.map(({ index, code }) => [index, code])).toEqual([
      [1, "INVALID_JSON"],
      [2, "EVENT_TOO_LARGE"],
    ]);
  });

  const broken: [string, string | Buffer, Record<string, string>, number, string][] = [
    ["broken JSON", "{", {}, 400, "INVALID_JSON"],
    ["NaN in JSON", '{"events":[NaN]}', {}, 400, "INVALID_JSON"],
    ["bytes that are not UTF-8", Buffer.from([0x7b, 0xff]), {}, 400, "INVALID_JSON"],
    ["an empty body", "", {}, 400, "INVALID_BODY"],
    ["no events", "{}", {}, 400, "INVALID_BODY"],
    ["events that are no list", '{"events":{"0":1}}', {}, 400, "INVALID_BODY"],
    ["a list at the top", "[]", {}, 400, "INVALID_BODY"],
    ["null", "null", {}, 400, "INVALID_BODY"],
    ["plain text", "hi", { "content-type": "text/plain" }, 415, "UNSUPPORTED_MEDIA_TYPE"],
    ["a form", "a=b", { "content-type": "application/x-www-form-urlencoded" }, 415, "UNSUPPORTED_MEDIA_TYPE"],
    ["a compressed body", "{}", { "content-encoding": "gzip" }, 415, "UNSUPPORTED_MEDIA_TYPE"],
    ["an oversized body", `{"events":["${"x".repeat(3000)}"]}`, {}, 413, "BODY_TOO_LARGE"],
    ["an oversized body of lines", "\n".repeat(3000), ndjson, 413, "BODY_TOO_LARGE"],
    ["too many events", JSON.stringify({ events: new Array(11).fill(0) }), {}, 413, "TOO_MANY_EVENTS"],
    ["too many lines", "0\n".repeat(11), ndjson, 413, "TOO_MANY_EVENTS"],
  ];
  const shared = sharedServer({ settings: { bodyLimitBytes: 2048, maxEvents: 10 } });
  it.each(broken)("refuses %s as a whole", async (_name, body, headers, status, code) => {
    const { call, intake } = shared();
    const answer = await call("POST", "/v1/events", body, { "content-type": "application/json", ...headers });
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers["content-type"]).toContain("application/problem+json");
    expect(intake.rows.size).toBe(0);
  });

  it("takes exactly as many as allowed", async () => {
    const { call } = testServer({ settings: { maxEvents: 3 } });
    expect((await call<Taken>("POST", "/v1/events", { events: [good, good, good] })).body.accepted).toBe(3);
    expect((await call<Taken>("POST", "/v1/events", `${JSON.stringify(good)}\n`.repeat(3), ndjson)).body.accepted).toBe(3);
  });

  it("drops __proto__ keys and takes the event", async () => {
    const { call } = testServer();
    const text = `{"events":[${JSON.stringify(good).replace("{", '{"__proto__":{"user":"eve"},')}]}`;
    expect((await call<Taken>("POST", "/v1/events", text)).body).toMatchObject({ accepted: 1, rejected: [] });
  });

  it("says 503 with Retry-After when the log takes no more, and counts it", async () => {
    const { call, intake, metrics } = testServer();
    intake.overloaded = true;
    const answer = await call("POST", "/v1/events", { events: [good] });
    expect([answer.status, answer.body.code, answer.headers["retry-after"]]).toEqual([503, "OVERLOADED", "2"]);
    expect(await metrics.expose()).toContain('kindred_events_total{source="http",outcome="overloaded"} 1');
  });

  it("says 503 with Retry-After while not ready", async () => {
    const server = testServer();
    server.notReady = "catching up";
    const answer = await server.call("POST", "/v1/events", { events: [good] });
    expect([answer.status, answer.body.code, answer.headers["retry-after"]]).toEqual([503, "NOT_READY", "1"]);
    expect(answer.body.detail).toBe("catching up");
  });
});
