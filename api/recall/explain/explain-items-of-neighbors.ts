import type { ExplainContext, Explained } from "./explainer.js";

/** The near user that an item chiefly came through. */
export function explainItemsOfNeighbors({ ask, found, ids }: ExplainContext): Explained[] {
  const { through } = found;
  return ids.map((_, i) => {
    const row = through?.via[i] ?? 0;
    const neighbor = through?.neighbors[row];
    const score = through?.scores[row] ?? 0;
    const id = neighbor === undefined ? "" : (ask.readModel.userIds(Uint32Array.of(neighbor))[0] ?? "");
    // Erased meanwhile: the result stands, its witness is gone.
    const via = id === "" ? [] : [{ id, type: "user", score }];
    const text =
      id === ""
        ? "Liked by users who behave alike."
        : `Liked by users who behave alike, chiefly by ${id} (similarity ${score.toFixed(2)}).`;
    return { explanation: { text, items: [], other: found.scores[i]!, terms: {}, via } };
  });
}
