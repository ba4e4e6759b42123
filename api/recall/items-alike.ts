import type { ItemOrdinal } from "../../schemas/ids.js";
import type { ItemEngines, SearchOptions, SearchResult } from "../../schemas/ports/read-model.js";
import { itemsByVector } from "./items-by-vector.js";
import type { RecallStep } from "./recall-step.js";
import { countPositive } from "./vector-neighbors.js";

/** i2i by a trained model: items near the one asked for, as the model compares them; of a session, near its pooled vector. */
export const itemsAlike: RecallStep = {
  rung: "vector",
  async find(ask) {
    const { asker, space, limit, settings } = ask;
    const { items } = space;
    if (asker.kind !== "item") return itemsByVector.find(ask);
    const [item] = asker.seeds(1).ordinals;
    if (items === undefined || item === undefined) return null;
    const found = await nearItems(items, item as ItemOrdinal, { k: limit, deadlineMs: settings.searchDeadlineMs });
    return { of: "items", method: "vector", ...found };
  },
};

/** Others at a positive likeness, best first; none where the item has no vector. */
export async function nearItems(items: ItemEngines, item: ItemOrdinal, options: SearchOptions): Promise<SearchResult> {
  const { ordinals, scores, degraded } = await items.alike.searchFrom(item, { ...options, exclude: Uint32Array.of(item) });
  const alike = countPositive(scores);
  return { ordinals: ordinals.subarray(0, alike), scores: scores.subarray(0, alike), degraded };
}
