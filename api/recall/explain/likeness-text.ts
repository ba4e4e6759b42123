import { enumerate } from "./explainer.js";

/** What both have in their profiles, with the same sign, and that brings them nearer. */
export interface SharedItem {
  readonly name: string;
  /** Negative: both turned away from it. */
  readonly weight: number;
  readonly contribution: number;
}

/** Most items that the sentence names. */
const NAMED = 3;

/**
 * Why two vectors point the same way, in a sentence. It names only what both have: items that only one of them met may add to a
 * cosine as well (by chance in a projection, by what a model learned), but nobody would call that a reason.
 * @param shared strongest contribution first
 */
export function likenessText(shared: readonly SharedItem[], score: number, whose: string): string {
  const similarity = score.toFixed(2);
  if (shared.length === 0) return `Near ${whose} by vector alone (similarity ${similarity}): nothing that both have brings them together.`;
  const share = shared.reduce((sum, { contribution }) => sum + contribution, 0);
  const named = shared.slice(0, NAMED);
  const liked = named.filter(({ weight }) => weight > 0).map(({ name }) => name);
  const disliked = named.filter(({ weight }) => weight < 0).map(({ name }) => name);
  const around = [
    ...(liked.length > 0 ? [`around ${enumerate(liked)}`] : []),
    ...(disliked.length > 0 ? [`in turning away from ${enumerate(disliked)}`] : []),
  ].join(" and ");
  const figures = `${share.toFixed(2)} of a similarity of ${similarity} from what both have`;
  return share >= score / 2
    ? `Behaves like ${whose}, chiefly ${around} (${figures}).`
    : `Behaves like ${whose} ${around} (${figures}); the rest is of things that only one of them has.`;
}
