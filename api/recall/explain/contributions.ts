import type { Static } from "typebox";
import type { ItemVectors } from "../../../schemas/catalogue.js";
import type { Explanation } from "../../../schemas/http.js";
import type { ItemId } from "../../../schemas/ids.js";
import { poolItems } from "../pool-session.js";
import type { WeightedItems } from "../recall-step.js";
import { dot, length, unit } from "../vector-arithmetic.js";
import { type ExplainContext, type Explained, LISTED, titled } from "./explainer.js";

/** Vectors travel as float32: a decomposition that differs by more than this share of the other's length belongs to another state of the user. */
const TOLERANCE = 1e-4;

export interface Contribution {
  readonly item: ItemId;
  /** Of the asker. */
  readonly weight: number;
  readonly contribution: number;
}

/** The strongest contributions, strongest first; `other` holds the rest, rounding included: together they are the score. */
interface Listed {
  readonly items: Static<typeof Explanation>["items"];
  readonly other: number;
}

/** A score and all that it is made of, in the order of the asker's profile. */
export interface Decomposed extends Listed {
  readonly score: number;
  readonly contributions: readonly Contribution[];
}

/** A result as the asker's direction is multiplied with it, and whatever else is needed to speak of it. */
export interface Other {
  readonly vector: ArrayLike<number>;
}

/**
 * The asker's pooled vector is the sum of w_i e_i over its profile, so the inner product of its direction with any vector o
 * is the sum of w_i <e_i, o> / |sum of w_i e_i|, one term an item. Undefined where nothing was pooled.
 */
export function decomposition(profile: WeightedItems | undefined, vectors: ItemVectors | undefined) {
  const pooled = profile === undefined || vectors === undefined ? undefined : poolItems(profile, vectors);
  if (profile === undefined || vectors === undefined || pooled === undefined) return undefined;
  const norm = length(pooled);
  return (other: ArrayLike<number>): Contribution[] =>
    profile.items.flatMap((item, i) => {
      const vector = vectors.vector(item);
      const weight = profile.weights[i]!;
      return vector === undefined ? [] : [{ item, weight, contribution: (weight * dot(vector, other)) / norm }];
    });
}

/**
 * Explains scores that are inner products of the asker's direction with the vectors that `otherOf` gives of results; undefined where a
 * result is not there any more.
 * Where one of the two moved since the search, the score is that of now, if it is the one that the profile of now explains.
 */
export function explainProducts<O extends Other>(
  { ask, found, ids, titleOf }: ExplainContext,
  otherOf: (ordinal: number) => O | undefined,
  textOf: (decomposed: Decomposed, other: O) => string,
  unexplained: (score: number) => string,
): Explained[] {
  const contributionsTo = decomposition(ask.asker.currentProfile(), ask.space.itemVectors);
  return ids.map((_, i) => {
    const score = found.scores[i]!;
    const other = otherOf(found.ordinals[i]!);
    const nothing = { explanation: { text: unexplained(score), items: [], other: score, terms: {} } };
    if (contributionsTo === undefined || other === undefined) return nothing;
    const contributions = contributionsTo(other.vector);
    const sum = contributions.reduce((all, { contribution }) => all + contribution, 0);
    const tolerance = TOLERANCE * Math.max(length(other.vector), Number.MIN_VALUE);
    const explained = (value: number): Explained["explanation"] => {
      const listed = strongest(contributions, value, titleOf);
      return { text: textOf({ score: value, contributions, ...listed }, other), ...listed, terms: {} };
    };
    if (Math.abs(score - sum) <= tolerance) return { explanation: explained(score) };
    const now = unit(ask.asker.vector());
    const current = now === undefined ? undefined : dot(now, other.vector);
    if (current === undefined || Math.abs(current - sum) > tolerance) return nothing;
    return { explanation: explained(current), score: current };
  });
}

function strongest(contributions: readonly Contribution[], score: number, titleOf: ExplainContext["titleOf"]): Listed {
  const listed = [...contributions].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution)).slice(0, LISTED);
  const items = listed.map(({ item, contribution }) => ({ ...titled(item, titleOf(item)), contribution }));
  return { items, other: items.reduce((rest, { contribution }) => rest - contribution, score) };
}
