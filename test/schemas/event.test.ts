import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseEvent, parseTimestamp, typeOfId } from "../../schemas/event.js";

const RULES = { actions: new Set(["play"]), latestTs: Date.UTC(2030, 0, 1) };
const GOOD = { user: "u", item: "song:1", action: "play", ts: "2024-05-01T10:00:00Z" };
const codeOf = (change: Record<string, unknown>): string => {
  const parsed = parseEvent({ ...GOOD, ...change }, RULES);
  return parsed.ok ? "ok" : parsed.error.code;
};

describe("parseEvent", () => {
  it("normalises a good event: epoch milliseconds, the kind from the id", () => {
    expect(parseEvent({ ...GOOD, id: "x", value: 3, extra: 1 }, RULES)).toEqual({
      ok: true,
      value: { user: "u", item: "song:1", action: "play", ts: 1714557600000, id: "x", type: "song", value: 3 },
    });
  });

  it("takes null for an absent optional field", () => {
    expect(codeOf({ id: null, scene: null, value: null, type: null })).toBe("ok");
  });

  it.each([
    ["EVENT_USER", { user: "" }],
    ["EVENT_USER", { user: 7 }],
    ["EVENT_USER", { user: "x".repeat(129) }],
    ["EVENT_USER", { user: "\ud800" }],
    ["EVENT_ITEM", { item: undefined }],
    ["EVENT_ACTION", { action: "hum" }],
    ["EVENT_TIME", { ts: "2024-02-30T00:00:00Z" }],
    ["EVENT_TIME", { ts: "yesterday" }],
    ["EVENT_TIME", { ts: Number.NaN }],
    ["EVENT_TIME", { ts: -1 }],
    ["EVENT_TIME", { ts: "2030-01-01T00:00:01Z" }],
    ["EVENT_ID", { id: "" }],
    ["EVENT_ID", { id: "x".repeat(65) }],
    ["EVENT_TYPE", { type: 1 }],
    ["EVENT_SCENE", { scene: "" }],
    ["EVENT_VALUE", { value: -1 }],
    ["EVENT_VALUE", { value: Number.POSITIVE_INFINITY }],
    ["EVENT_VALUE", { value: "3" }],
  ])("refuses with %s: %o", (code, change) => {
    expect(codeOf(change)).toBe(code);
  });

  it("gives an answer for anything at all", () => {
    fc.assert(
      fc.property(fc.anything(), (raw) => {
        expect(typeof parseEvent(raw, RULES).ok).toBe("boolean");
      }),
    );
  });
});

describe("parseTimestamp", () => {
  it("reads RFC 3339 with offsets and fractions, and cuts fractions of a millisecond", () => {
    expect(parseTimestamp("2024-02-29 23:30:00.5+01:00")).toBe(Date.UTC(2024, 1, 29, 22, 30, 0, 500));
    expect(parseTimestamp(12.9)).toBe(12);
    expect(parseTimestamp("2023-02-29T00:00:00Z")).toBeUndefined();
  });
});

describe("typeOfId", () => {
  it("is the prefix, if there is one", () => {
    expect([typeOfId("song:4:2"), typeOfId("song"), typeOfId(":4")]).toEqual(["song", undefined, undefined]);
  });
});
