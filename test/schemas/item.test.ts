import { describe, expect, it } from "vitest";
import { parseItemInfo } from "../../schemas/item.js";

describe("parseItemInfo", () => {
  it("takes the kind from the id and drops duplicate labels", () => {
    expect(parseItemInfo({ item: "song:1", title: "T", tags: ["a", "b", "a"], creators: ["c"], scene: "music" })).toEqual({
      ok: true,
      value: { item: "song:1", type: "song", title: "T", tags: ["a", "b"], creators: ["c"], scene: "music" },
    });
  });

  it.each([
    [null],
    [[]],
    [{ item: "" }],
    [{ item: "1" }],
    [{ item: "song:1", tags: "a" }],
    [{ item: "song:1", tags: [""] }],
    [{ item: "song:1", creators: Array(65).fill("a") }],
    [{ item: "song:1", title: "x".repeat(513) }],
    [{ item: "song:1", scene: 3 }],
  ])("refuses %o", (raw) => {
    expect(parseItemInfo(raw)).toMatchObject({ ok: false, error: { code: "ITEM_INFO" } });
  });
});
