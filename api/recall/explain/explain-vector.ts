import { unit } from "../vector-arithmetic.js";
import { explainProducts, type Listed } from "./contributions.js";
import type { ExplainContext, Explained } from "./explainer.js";
import { enumerate } from "./explainer.js";

/** Decomposes a cosine exactly: that of the asking user's direction with the other user's. */
export function explainVector(context: ExplainContext): Explained[] {
  const { engine, asker } = context.ask;
  const whose = asker.kind === "session" ? "this session" : "this user";
  return explainProducts(
    context,
    (ordinal) => unit(engine.vector(ordinal)),
    (listed, score) => text(listed, score, whose),
    (score) => `Behaves alike (similarity ${score.toFixed(2)}); the profile is changing right now.`,
  );
}

function text({ items }: Listed, score: number, whose: string): string {
  const alike = items.filter(({ contribution }) => contribution > 0);
  if (alike.length === 0) return `Behaves like ${whose} over many things, none of which stands out (similarity ${score.toFixed(2)}).`;
  const share = alike.reduce((sum, { contribution }) => sum + contribution, 0);
  const names = enumerate(alike.slice(0, 3).map(({ id, title }) => title ?? id));
  return `Behaves like ${whose}, chiefly around ${names} (${share.toFixed(2)} of a similarity of ${score.toFixed(2)} from ${alike.length === 1 ? "what is listed" : "those listed"}).`;
}
