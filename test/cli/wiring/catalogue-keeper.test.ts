import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CatalogueKeeper } from "../../../cli/wiring/catalogue-keeper.js";
import type { CatalogueNumber, ItemId } from "../../../schemas/ids.js";
import type { ItemInfo } from "../../../schemas/item.js";
import { generationZero } from "../../../state/catalogue-builder.js";
import { foldSettings } from "../../../state/fold-settings.js";
import { MemoryCatalogues } from "../../harness/memory-catalogues.js";

describe("CatalogueKeeper", () => {
  const items: ItemInfo[] = [];
  const activated: CatalogueNumber[] = [];
  const failures: unknown[] = [];
  let catalogues: MemoryCatalogues;
  const tagged = (item: string, ...tags: string[]): ItemInfo => ({ item: item as ItemId, type: "song", tags });
  let busy = false;
  const keeper = (profileItems = 128): CatalogueKeeper =>
    new CatalogueKeeper({
      catalogues,
      items: async function* () {
        yield* items;
      },
      settings: foldSettings({ profileItems }),
      generations: () => [generationZero()],
      publish: async (next) => {
        await catalogues.put(next);
        activated.push(next.number);
      },
      minIntervalMs: 60_000,
      onError: (error) => failures.push(error),
      now: () => Date.now(),
      busy: () => busy,
    });

  beforeEach(() => {
    catalogues = new MemoryCatalogues();
    for (const list of [items, activated, failures]) list.length = 0;
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
    expect(failures).toEqual([]);
  });

  it("stores and activates the first catalogue, and the next only when something differs", async () => {
    expect(await keeper().update()).toBe(1);
    expect(await keeper().update()).toBe(1);
    expect(activated).toEqual([1]);
    items.push(tagged("song:1", "folk"));
    expect(await keeper().update()).toBe(2);
    expect(await keeper(64).update()).toBe(3);
    expect(activated).toEqual([1, 2, 3]);
    expect((await catalogues.get(3 as CatalogueNumber))?.settings.profileItems).toBe(64);
  });

  it("leaves a catalogue out that differs in what nobody folds with", async () => {
    await keeper().update();
    items.push({ item: "song:1" as ItemId, type: "song", title: "A title only" });
    await keeper().update();
    expect(activated).toEqual([1]);
  });

  it("gathers a burst of changes into one catalogue, and spaces the next ones", async () => {
    const kept = keeper();
    await kept.update();
    for (let i = 0; i < 50; i++) {
      items.push(tagged(`song:${i}`, "folk"));
      kept.itemsChanged();
    }
    await vi.advanceTimersByTimeAsync(1_000);
    expect(activated).toEqual([1, 2]);
    expect((await catalogues.get(2 as CatalogueNumber))?.items.size).toBe(50);
    items.push(tagged("song:50", "folk"));
    kept.itemsChanged();
    await vi.advanceTimersByTimeAsync(50_000);
    expect(activated).toEqual([1, 2]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(activated).toEqual([1, 2, 3]);
    items.push(tagged("song:51", "folk"));
    kept.itemsChanged();
    await kept.close();
    await vi.advanceTimersByTimeAsync(100_000);
    expect(activated).toEqual([1, 2, 3]);
  });

  it("leaves side information until rows are not being computed anew for something else", async () => {
    const one = keeper();
    await one.update();
    items.push(tagged("song:1", "folk"));
    busy = true;
    one.itemsChanged();
    await vi.advanceTimersByTimeAsync(300_000);
    expect(activated).toEqual([1]);
    busy = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(activated).toEqual([1, 2]);
    await one.close();
  });
});
