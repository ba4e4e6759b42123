import type { UserOrdinal } from "../../../schemas/ids.js";
import type { WeightedItems } from "../recall-step.js";
import { unit } from "../vector-arithmetic.js";
import { type Contribution, explainProducts } from "./contributions.js";
import type { ExplainContext, Explained } from "./explainer.js";
import { likenessText, type SharedItem } from "./likeness-text.js";

/** Decomposes a cosine exactly: that of the asking user's direction with the other user's. */
export function explainVector(context: ExplainContext): Explained[] {
  const { space, asker } = context.ask;
  const whose = asker.kind === "session" ? "this session" : "this user";
  return explainProducts(
    context,
    (ordinal) => {
      const [vector, theirs] = [unit(space.users.vector(ordinal)), profileOf(ordinal, context)];
      return vector && theirs && { vector, theirs };
    },
    ({ contributions, score }, { theirs }) => likenessText(sharedItems(contributions, theirs, context), score, whose),
    (score) => `Behaves alike (similarity ${score.toFixed(2)}); the profile is changing right now.`,
  );
}

/** What of the asker's profile the other has too, both of one mind about it; strongest contribution first. */
function sharedItems(contributions: readonly Contribution[], theirs: WeightedItems, { titleOf }: ExplainContext): SharedItem[] {
  const weights = new Map(theirs.items.map((item, i) => [item, theirs.weights[i]!]));
  return contributions
    .filter(({ item, weight, contribution }) => contribution > 0 && weight * (weights.get(item) ?? 0) > 0)
    .sort((a, b) => b.contribution - a.contribution)
    .map(({ item, weight, contribution }) => ({ name: titleOf(item) ?? item, weight, contribution }));
}

/** The other's profile of now; undefined where it was erased. */
function profileOf(ordinal: number, { ask: { readModel } }: ExplainContext): WeightedItems | undefined {
  const profile = readModel.profile(ordinal as UserOrdinal);
  return profile && { items: readModel.itemIds(profile.items), weights: profile.weights };
}
