import { describe, expect, it } from "vitest";
import { HistoriesBuilder } from "../../../models/training-set/histories.js";
import { trainingDataOf, typesOf } from "../../../models/training-set/training-set.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemInfo } from "../../../schemas/item.js";
import type { Histories } from "../../../schemas/model.js";

function of(...lines: [string, ...string[]][]): Histories {
  const builder = new HistoriesBuilder();
  for (const [user, ...items] of lines) builder.add(user, items as ItemId[]);
  return builder.build();
}
const infosOf = (...infos: object[]): ReadonlyMap<ItemId, ItemInfo> => new Map((infos as ItemInfo[]).map((info) => [info.item, info]));

describe("typesOf", () => {
  it("takes side information before what the id says, and nothing where neither does", () => {
    const infos = infosOf({ item: "song:2", type: "live" });
    expect(typesOf({ histories: of(["u", "song:1", "song:2", "a:b:c", "plain", ":x"]), infos })).toEqual(["song", "live", "a", "", ""]);
  });
});

describe("trainingDataOf", () => {
  const base = of(["u", "a", "b"], ["v", "b"]);
  const fingerprint = (set: Parameters<typeof trainingDataOf>[0]): string => trainingDataOf(set).fingerprint;

  it("tells other users, items or histories apart, and nothing else", () => {
    expect(fingerprint({ histories: of(["u", "a", "b"], ["v", "b"]) })).toBe(fingerprint({ histories: base }));
    const others = [
      of(["u", "a", "b"], ["w", "b"]),
      of(["u", "a", "c"], ["v", "c"]),
      of(["u", "a", "b"], ["v", "a"]),
      of(["u", "a"], ["v", "b"]),
    ];
    expect(new Set([base, ...others].map((histories) => fingerprint({ histories }))).size).toBe(5);
  });

  it("tells weights, times, actions, scenes and side information apart, but not titles or what nobody touched", () => {
    const sets = [
      { histories: base },
      { histories: base, weights: Float32Array.of(1, 2, 1) },
      { histories: base, times: Float64Array.of(1, 2, 1) },
      { histories: base, actions: Uint32Array.of(1, 2, 1), actionNames: ["play", "like"] },
      { histories: base, actions: Uint32Array.of(1, 2, 1), actionNames: ["play", "share"] },
      { histories: base, scenes: Uint32Array.of(1, 2, 1), sceneNames: ["play", "like"] },
      { histories: base, infos: infosOf({ item: "a", type: "song", tags: ["x"] }) },
      { histories: base, infos: infosOf({ item: "a", type: "song", creators: ["x"] }) },
    ];
    expect(new Set(sets.map(fingerprint)).size).toBe(sets.length);
    const infos = infosOf({ item: "a", type: "song", tags: ["x"], title: "T" }, { item: "c", type: "song" });
    expect(fingerprint({ histories: base, infos })).toBe(fingerprint(sets[6]!));
  });
});
