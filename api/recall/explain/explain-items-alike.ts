import type { ItemId } from "../../../schemas/ids.js";
import type { ExplainContext, Explained } from "./explainer.js";
import { enumerate, titled } from "./explainer.js";

/** Two items compared: all of the score comes from the one asked for. */
export function explainItemsAlike({ ask, found, ids, titleOf }: ExplainContext): Explained[] {
  const [id = "" as ItemId] = ask.readModel.itemIds(ask.asker.seeds(1).ordinals);
  const title = titleOf(id);
  return ids.map((_, i) => {
    const score = found.scores[i]!;
    const text = `Near ${enumerate([title ?? id])} for the model: the same people like both.`;
    return { explanation: { text, items: [{ ...titled(id, title), contribution: score }], other: 0, terms: {} } };
  });
}
