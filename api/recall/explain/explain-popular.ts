import type { ExplainContext, Explained } from "./explainer.js";

/** Nothing personal was known: says what the order goes by. */
export function explainPopular({ found, ids }: ExplainContext): Explained[] {
  return ids.map((_, i) => {
    const score = found.scores[i]!;
    const text =
      found.method === "recent"
        ? "Active just now; what both share is not known yet."
        : `In the profiles of ${score} ${score === 1 ? "user" : "users"}.`;
    return { explanation: { text, items: [], other: score, terms: {} } };
  });
}
