import { describe, expect, it } from "vitest";
import { NOW, testServer } from "../test-server.js";

const HASH = "1f2e3d4c".repeat(8);
const line = { code: "FILE_LINE", message: "a column too few", origin: "file 1f2e3d4c line 12", original: "u,song:1" };
const slice = { run: 1, after: 10, rows: 5, events: [] as unknown[], refused: [] as unknown[], done: false };

describe("backfills of files", () => {
  it("takes rows: events by the rules of events, lines and refused events as dead letters with where they were", async () => {
    const { call, slices } = testServer();
    const good = { user: "ada", item: "song:1", action: "play", ts: NOW };
    const body = { ...slice, events: [good, { ...good, action: "hum" }], refused: [line] };
    const answer = await call("POST", `/v1/admin/files/${HASH}/rows`, body);
    expect([answer.status, answer.body]).toMatchObject([200, { taken: true, progress: { rowsRead: 15, run: 1 }, position: "k1-0.9" }]);
    expect(slices).toMatchObject([{ file: HASH, run: 1, after: 10, rows: 5, done: false, events: [good] }]);
    expect(slices[0]?.refused).toMatchObject([
      line,
      { code: "EVENT_ACTION", user: "ada", origin: "file 1f2e3d4c rows 11 to 15", original: JSON.stringify({ ...good, action: "hum" }) },
    ]);
  });

  it("says how far a file has come", async () => {
    const progress = { rowsRead: 7, events: 5, rejected: 1, done: true, run: 2 };
    const { call } = testServer({ files: { progress: async () => progress, take: () => Promise.reject(new Error("not asked")) } });
    expect((await call("GET", `/v1/admin/files/${HASH}`)).body).toEqual({ ...progress, position: "k1" });
  });

  it.each([
    ["a code that is none of ours", HASH, { ...slice, refused: [{ ...line, code: "NO_CODE" }] }, 400, "INVALID_BODY"],
    ["more than its rows", HASH, { ...slice, rows: 1, events: [{}], refused: [line] }, 400, "INVALID_BODY"],
    ["no run", HASH, { ...slice, run: 0 }, 400, "INVALID_BODY"],
    ["what it does not know", HASH, { ...slice, again: true }, 400, "INVALID_BODY"],
    ["another hash", "1f2e", slice, 400, "INVALID_PARAMETER"],
    ["too many events", HASH, { ...slice, rows: 9, events: Array.from({ length: 9 }, () => ({})) }, 413, "TOO_MANY_EVENTS"],
  ])("refuses %s, and takes nothing", async (_, hash, body, status, code) => {
    const { call, slices } = testServer({ settings: { maxEvents: 8 } });
    const answer = await call("POST", `/v1/admin/files/${hash}/rows`, body);
    expect([answer.status, answer.body.code, slices]).toEqual([status, code, []]);
  });
});
