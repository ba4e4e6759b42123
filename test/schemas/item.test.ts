import { describe, expect, it } from "vitest";
import { parseItemInfo } from "../../schemas/item.js";

describe("parseItemInfo", () => {
  it("takes the kind from the id and drops duplicate labels", () => {
    expect(parseItemInfo({ item: "song:1", title: "T", tags: ["a", "b", "a"], creators: ["c"], scene: "music" })).toEqual({
      ok: true,
      value: { item: "song:1", type: "song", title: "T", tags: ["a", "b"], creators: ["c"], scene: "music" },
    });
  });

  it("keeps what tags weigh, those of a tag that is named twice added up", () => {
    const read = (tagWeights: unknown) => {
      const parsed = parseItemInfo({ item: "song:1", tags: ["a", "b", "a"], tagWeights });
      return parsed.ok ? parsed.value : undefined;
    };
    expect(read([1, 2.5, 3])).toMatchObject({ tags: ["a", "b"], tagWeights: [4, 2.5] });
    for (const none of [undefined, null, []]) expect(read(none)).toEqual({ item: "song:1", type: "song", tags: ["a", "b"] });
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
    [{ item: "song:1", tagWeights: [1] }],
    [{ item: "song:1", tags: ["a"], tagWeights: [1, 2] }],
    [{ item: "song:1", tags: ["a"], tagWeights: [0] }],
    [{ item: "song:1", tags: ["a"], tagWeights: [Number.NaN] }],
    [{ item: "song:1", tags: ["a"], tagWeights: [1e7] }],
    [{ item: "song:1", tags: ["a"], tagWeights: "1" }],
  ])("refuses %o", (raw) => {
    expect(parseItemInfo(raw)).toMatchObject({ ok: false, error: { code: "ITEM_INFO" } });
  });
});
