import { describe, expect, it } from "vitest";
import type { CatalogueItem, FoldSettings } from "../../schemas/catalogue.js";
import type { ItemId, UserId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import { foldSettings } from "../../state/fold-settings.js";
import { usedKinds } from "../../state/keywords.js";
import { formatFingerprint, keywordHash } from "../../state/simhash.js";
import { activate, catalogueOf, event, positioned, TestPartition } from "./fold-fixture.js";

const known = (items: Record<string, CatalogueItem>): ReadonlyMap<ItemId, CatalogueItem> =>
  new Map(Object.entries(items) as [ItemId, CatalogueItem][]);
const kindsOf = (settings: FoldSettings, items: Record<string, CatalogueItem>): string[] =>
  usedKinds(settings, known(items)).kinds.map(({ kind }) => kind);

describe("usedKinds", () => {
  it("takes what the catalogue knows: tags, else creators, else items", () => {
    const settings = foldSettings();
    expect(kindsOf(settings, { a: { creators: ["c"] }, b: { tags: ["t"] } })).toEqual(["tags", "creators", "items"]);
    expect(kindsOf(settings, { a: { creators: ["c"], tags: [] } })).toEqual(["creators", "items"]);
    expect(kindsOf(settings, {})).toEqual(["items"]);
  });

  it("takes what is configured, whatever the catalogue knows", () => {
    const settings = foldSettings({ keywords: { weights: { items: 0.5, creators: 0 }, top: { tags: 0, creators: 0, items: 3 } } });
    expect(usedKinds(settings, known({ a: { tags: ["t"] } }))).toEqual({
      kinds: [{ kind: "items", weight: 512, top: 3 }],
      together: true,
    });
  });
});

describe("fingerprints by keywords", () => {
  const items = [
    { item: "a", type: "song", tags: ["jazz", "calm"] },
    { item: "b", type: "song", tags: ["jazz"] },
    { item: "c", type: "song", tags: ["rock", "calm"] },
  ].map((info) => ({ ...info, item: info.item as ItemId }));

  type Profile = Awaited<ReturnType<TestPartition["state"]["profile"]>>;
  const fold = (top: number, ...events: ReturnType<typeof event>[]): Promise<Profile> => foldWith(items, top, events);
  async function foldWith(known: readonly ItemInfo[], top: number, events: ReturnType<typeof event>[]): Promise<Profile> {
    const catalogue = catalogueOf(1, { halfLifeDays: null, keywords: { weights: {}, top: { tags: top, creators: 0, items: 0 } } }, known);
    const partition = await TestPartition.open([catalogue]);
    await partition.run(positioned([activate(1), ...events]));
    return partition.state.profile("u" as UserId);
  }

  it("count only a user's strongest, ties by text", async () => {
    const profile = await fold(1, event("u", "a", 1), event("u", "b", 1), event("u", "c", 1));
    // jazz and calm both weigh 6.
    expect(profile?.keywords).toEqual([{ keyword: "calm", weight: 6 }]);
    const { hi, lo } = keywordHash("tags", "calm");
    expect(profile?.fingerprint).toBe((BigInt(hi) * 2n ** 32n + BigInt(lo)).toString(16).padStart(16, "0"));
    expect(profile?.accumulators.every((value) => Math.abs(value) === 6144)).toBe(true);
  });

  it("sum over all of them with top 0, negative ones taking away", async () => {
    const profile = await fold(0, event("u", "a", 1), event("u", "b", 1, { action: "gift" }), event("u", "c", 1, { action: "dislike" }));
    expect(profile?.keywords).toEqual([
      { keyword: "jazz", weight: 7 },
      { keyword: "rock", weight: -3 },
    ]);
    const bit = (label: string, at: number): number =>
      (at < 32 ? keywordHash("tags", label).lo >>> at : keywordHash("tags", label).hi >>> (at - 32)) & 1 ? 1 : -1;
    expect(profile?.accumulators).toEqual(Array.from({ length: 64 }, (_, at) => 1024 * (7 * bit("jazz", at) - 3 * bit("rock", at))));
  });

  it("are the user's items where none of them has a tag", async () => {
    const profile = await fold(5, event("u", "unknown", 1));
    expect(profile).toMatchObject({ keywords: [{ keyword: "unknown", weight: 3 }], totalWeight: 3 });
    const { hi, lo } = keywordHash("items", "unknown");
    expect(profile?.fingerprint).toBe(formatFingerprint(hi, lo));
    // One that has a tag is enough for tags.
    expect((await fold(5, event("u", "unknown", 1), event("u", "b", 1)))?.keywords).toEqual([{ keyword: "jazz", weight: 3 }]);
  });

  it("count as much as a tag weighs against the heaviest of all", async () => {
    const weighted = items.map((info) => (info.item === "a" ? { ...info, tagWeights: [3, 1.5] } : info));
    const profile = await foldWith(weighted, 2, [event("u", "a", 1), event("u", "c", 1)]);
    expect(profile?.keywords).toEqual([
      { keyword: "jazz", weight: 3 },
      { keyword: "calm", weight: (1536 + 1023) / 1024 },
    ]);
  });
});
