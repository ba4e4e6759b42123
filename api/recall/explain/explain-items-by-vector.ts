import { explainProducts } from "./contributions.js";
import type { ExplainContext, Explained } from "./explainer.js";
import { enumerate } from "./explainer.js";

/** Decomposes the inner product of the asker's direction with an item's output vector: what of the past speaks for it. */
export function explainItemsByVector(context: ExplainContext): Explained[] {
  const { asker, space } = context.ask;
  const { items } = space;
  const whose = asker.kind === "session" ? "this session" : "this user";
  return explainProducts(
    context,
    (ordinal) => {
      const vector = items?.outputs.vector(ordinal);
      return vector && { vector };
    },
    ({ items: listed }) => {
      const names = listed.filter(({ contribution }) => contribution > 0).map(({ id, title }) => title ?? id);
      return names.length === 0
        ? `Goes with the many things of ${whose}, none of which stands out.`
        : `Goes with what ${whose} has met, chiefly ${enumerate(names.slice(0, 3))}.`;
    },
    () => `Goes with what ${whose} has met; the profile is changing right now.`,
  );
}
