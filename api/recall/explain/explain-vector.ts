import type { ItemVectors } from "../../../schemas/catalogue.js";
import type { ItemId, UserOrdinal } from "../../../schemas/ids.js";
import { poolItems } from "../pool-session.js";
import type { WeightedItems } from "../recall-step.js";
import type { ExplainContext, Explained } from "./explainer.js";
import { LISTED, titled } from "./explainer.js";
import { likenessText, type SharedItem } from "./likeness-text.js";

/** Vectors travel as float32: a decomposition that differs by more belongs to another state of the user. */
const TOLERANCE = 1e-4;

/**
 * Decomposes a cosine exactly: the asking user's vector is the sum of w_i e_i over its profile, so its cosine with the
 * unit vector o of the other is the sum of w_i <e_i, o> / |sum of w_i e_i|, one term an item. The strongest are listed,
 * `other` holds the rest, rounding included: together they are the score.
 */
export function explainVector(context: ExplainContext): Explained[] {
  const { ask, found, ids, itemVectors } = context;
  const profile = ask.asker.currentProfile();
  const own = profile === undefined || itemVectors === undefined ? undefined : decomposed(profile, itemVectors);
  return ids.map((_, i) => {
    const score = found.scores[i]!;
    const other = unit(ask.engine.vector(found.ordinals[i]!));
    const theirs = profileOf(found.ordinals[i]!, context);
    if (own === undefined || other === undefined || theirs === undefined) return unexplained(score);
    const contributions = own.contributionsTo(other);
    const sum = contributions.reduce((all, c) => all + c.contribution, 0);
    if (Math.abs(score - sum) <= TOLERANCE) return { explanation: explain(contributions, theirs, score, context) };
    // One of the two moved since the search: the score of now, if it is the one that the profile of now explains.
    const current = cosine(unit(ask.asker.vector()), other);
    if (current === undefined || Math.abs(current - sum) > TOLERANCE) return unexplained(score);
    return { explanation: explain(contributions, theirs, current, context), score: current };
  });
}

interface Contribution {
  readonly item: ItemId;
  /** Of the asker. */
  readonly weight: number;
  readonly contribution: number;
}

function decomposed(profile: WeightedItems, vectors: ItemVectors): { contributionsTo(other: Float64Array): Contribution[] } | undefined {
  const pooled = poolItems(profile, vectors);
  if (pooled === undefined) return undefined;
  const norm = Math.sqrt(dot(pooled, pooled));
  return {
    contributionsTo: (other) =>
      profile.items.flatMap((item, i) => {
        const vector = vectors.vector(item);
        return vector === undefined
          ? []
          : [{ item, weight: profile.weights[i]!, contribution: (profile.weights[i]! * dot(vector, other)) / norm }];
      }),
  };
}

function explain(
  contributions: readonly Contribution[],
  theirs: WeightedItems,
  score: number,
  context: ExplainContext,
): Explained["explanation"] {
  const listed = [...contributions].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution)).slice(0, LISTED);
  const items = listed.map(({ item, contribution }) => ({ ...titled(item, context.titleOf(item)), contribution }));
  const other = items.reduce((rest, { contribution }) => rest - contribution, score);
  const whose = context.ask.asker.kind === "session" ? "this session" : "this user";
  return { text: likenessText(sharedItems(contributions, theirs, context), score, whose), items, other, terms: {} };
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

function unexplained(score: number): Explained {
  return {
    explanation: {
      text: `Behaves alike (similarity ${score.toFixed(2)}); the profile is changing right now.`,
      items: [],
      other: score,
      terms: {},
    },
  };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function unit(vector: Float32Array | Float64Array | undefined): Float64Array | undefined {
  if (vector === undefined) return undefined;
  const norm = Math.sqrt(dot(vector, vector));
  return norm > 0 ? Float64Array.from(vector, (component) => component / norm) : undefined;
}

const cosine = (a: Float64Array | undefined, b: Float64Array): number | undefined => (a === undefined ? undefined : dot(a, b));
