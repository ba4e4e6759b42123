import { describe, expect, it } from "vitest";
import type { CatalogueItem, FoldSettings } from "../../schemas/catalogue.js";
import type { ItemId, UserId } from "../../schemas/ids.js";
import { foldSettings } from "../../state/fold-settings.js";
import { usedKinds } from "../../state/keywords.js";
import { keywordHash } from "../../state/simhash.js";
import { activate, catalogueOf, event, positioned, TestPartition } from "./fold-fixture.js";

const known = (items: Record<string, CatalogueItem>): ReadonlyMap<ItemId, CatalogueItem> =>
  new Map(Object.entries(items) as [ItemId, CatalogueItem][]);
const kindsOf = (settings: FoldSettings, items: Record<string, CatalogueItem>): string[] =>
  usedKinds(settings, known(items)).map(({ kind }) => kind);

describe("usedKinds", () => {
  it("takes what the catalogue knows: tags, else creators, else items", () => {
    const settings = foldSettings();
    expect(kindsOf(settings, { a: { creators: ["c"] }, b: { tags: ["t"] } })).toEqual(["tags"]);
    expect(kindsOf(settings, { a: { creators: ["c"], tags: [] } })).toEqual(["creators"]);
    expect(kindsOf(settings, {})).toEqual(["items"]);
  });

  it("takes what is configured, whatever the catalogue knows", () => {
    const settings = foldSettings({ keywords: { weights: { items: 0.5, creators: 0 }, top: { tags: 0, creators: 0, items: 3 } } });
    expect(usedKinds(settings, known({ a: { tags: ["t"] } }))).toEqual([{ kind: "items", weight: 512, top: 3 }]);
  });
});

describe("fingerprints by keywords", () => {
  const items = [
    { item: "a", type: "song", tags: ["jazz", "calm"] },
    { item: "b", type: "song", tags: ["jazz"] },
    { item: "c", type: "song", tags: ["rock", "calm"] },
  ].map((info) => ({ ...info, item: info.item as ItemId }));

  async function fold(top: number, ...events: ReturnType<typeof event>[]): Promise<Awaited<ReturnType<TestPartition["state"]["profile"]>>> {
    const catalogue = catalogueOf(1, { halfLifeDays: null, keywords: { weights: {}, top: { tags: top, creators: 0, items: 0 } } }, items);
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

  it("are missing for a user whose items have no tags where tags are the keywords", async () => {
    const profile = await fold(5, event("u", "unknown", 1));
    expect(profile).toMatchObject({ fingerprint: null, keywords: [], totalWeight: 3 });
  });
});
