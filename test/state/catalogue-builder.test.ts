import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { CatalogueNumber, Generation, ItemId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import {
  buildCatalogue,
  decodeCatalogue,
  encodeCatalogue,
  generationZero,
  nextCatalogue,
  sameContent,
} from "../../state/catalogue-builder.js";
import { foldSettings } from "../../state/fold-settings.js";

const info = (item: string, rest: Partial<ItemInfo> = {}): ItemInfo => ({ item: item as ItemId, type: "song", ...rest });
const parts = (items: ItemInfo[]) => ({ settings: foldSettings(), items, generations: [generationZero()] });

describe("nextCatalogue", () => {
  it("keeps what the fold needs, and counts up only when something changed", () => {
    const first = nextCatalogue(undefined, parts([info("a", { tags: ["x", "y"], title: "A" }), info("b")]));
    expect([first.number, [...first.items]]).toEqual([1, [["a", { tags: ["x", "y"] }]]]);
    const same = nextCatalogue(first, parts([info("b", { title: "B" }), info("a", { tags: ["y", "x", "y"], creators: [] })]));
    expect(same).toBe(first);
    const other = nextCatalogue(first, parts([info("a", { tags: ["x"] })]));
    expect(other.number).toBe(2);
    expect(sameContent(first, other)).toBe(false);
    expect(
      nextCatalogue(first, { ...parts([]), items: [info("a", { tags: ["x", "y"] })], settings: foldSettings({ halfLifeDays: 30 }) }).number,
    ).toBe(2);
  });

  it("takes the last of several words about one item, also that it has no labels", () => {
    expect(buildCatalogue(1 as CatalogueNumber, parts([info("a", { tags: ["x"] }), info("a")])).items.size).toBe(0);
  });

  it("refuses too many generations, one twice, and dimensions out of range", () => {
    const generation = (number: number, dims = 8) => ({ ...generationZero(dims), generation: number as Generation });
    for (const generations of [
      [0, 1, 2, 3].map((n) => generation(n)),
      [generation(1), generation(1)],
      [generation(0, 7)],
      [generation(0, 1025)],
    ])
      expect(() => buildCatalogue(1 as CatalogueNumber, { ...parts([]), generations })).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID" }),
      );
  });
});

describe("a stored catalogue", () => {
  it("reads as it was", async () => {
    const catalogue = buildCatalogue(7 as CatalogueNumber, parts([info("b", { tags: ["ü"] }), info("__proto__", { creators: ["c"] })]));
    const again = await decodeCatalogue(await encodeCatalogue(catalogue));
    expect(again).toEqual(catalogue);
    expect(sameContent(again, catalogue)).toBe(true);
  });

  it("is refused when damaged", async () => {
    const bytes = await encodeCatalogue(buildCatalogue(7 as CatalogueNumber, parts([])));
    await expect(decodeCatalogue(bytes.slice(0, 20))).rejects.toMatchObject({ code: "STATE_CORRUPT" });
    await expect(decodeCatalogue(Buffer.from("{}"))).rejects.toMatchObject({ code: "STATE_CORRUPT" });
    await expect(decodeCatalogue(gzipSync('{"format":1}'))).rejects.toMatchObject({ code: "STATE_CORRUPT" });
    await expect(decodeCatalogue(gzipSync('{"format":3}'))).rejects.toMatchObject({ code: "DIRECTORY_NEWER" });
  });
});

describe("foldSettings", () => {
  it("turns plain numbers into integers", () => {
    const settings = foldSettings({ actions: { play: 0.5, skip: -1 }, halfLifeDays: 7 });
    expect(settings).toMatchObject({
      actions: { play: 512, skip: -1024 },
      decay: { gridMs: 604_800_000, stepFactor: 2 ** 31 },
      values: { play: { unit: 30, maxScale: 16 } },
      profileItems: 128,
      idempotencyRing: 32,
    });
    expect(settings.values).not.toHaveProperty("gift");
    expect(foldSettings({ halfLifeDays: null }).decay.stepFactor).toBe(2 ** 32);
  });

  it.each([
    ["actions.play", { actions: { play: 65 } }],
    ["actions.play", { actions: { play: Number.NaN } }],
    ["values.play.unit", { values: { play: { unit: 0, maxScale: 2 } } }],
    ["values.play.maxScale", { values: { play: { unit: 1, maxScale: 65 } } }],
    ["decay.gridMs", { gridDays: 0 }],
    ["decay.stepFactor", { halfLifeDays: -1 }],
    ["profileItems", { profileItems: 7 }],
    ["idempotencyRing", { idempotencyRing: 1025 }],
    ["keywords.weights.tags", { keywords: { weights: { tags: -1 }, top: { tags: 0, creators: 0, items: 0 } } }],
    ["keywords.top.items", { keywords: { weights: {}, top: { tags: 0, creators: 0, items: 0.5 } } }],
  ])("names %s when it is out of range", (key, numbers) => {
    expect(() => foldSettings(numbers)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID", where: `fold.${key}` }));
  });
});
