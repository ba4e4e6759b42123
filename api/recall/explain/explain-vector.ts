import type { ItemVectors } from "../../../schemas/catalogue.js";
import type { ItemId } from "../../../schemas/ids.js";
import { poolItems } from "../pool-session.js";
import type { WeightedItems } from "../recall-step.js";
import type { ExplainContext, Explained } from "./explainer.js";
import { enumerate, LISTED, titled } from "./explainer.js";

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
    if (own === undefined || other === undefined) return unexplained(score);
    const contributions = own.contributionsTo(other);
    const sum = contributions.reduce((all, c) => all + c.contribution, 0);
    if (Math.abs(score - sum) <= TOLERANCE) return { explanation: explain(contributions, score, context) };
    // One of the two moved since the search: the score of now, if it is the one that the profile of now explains.
    const current = cosine(unit(ask.asker.vector()), other);
    if (current === undefined || Math.abs(current - sum) > TOLERANCE) return unexplained(score);
    return { explanation: explain(contributions, current, context), score: current };
  });
}

interface Contribution {
  readonly item: ItemId;
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
        return vector === undefined ? [] : [{ item, contribution: (profile.weights[i]! * dot(vector, other)) / norm }];
      }),
  };
}

function explain(contributions: readonly Contribution[], score: number, { titleOf, ask }: ExplainContext): Explained["explanation"] {
  const listed = [...contributions].sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution)).slice(0, LISTED);
  const items = listed.map(({ item, contribution }) => ({ ...titled(item, titleOf(item)), contribution }));
  const other = items.reduce((rest, { contribution }) => rest - contribution, score);
  const alike = items.filter(({ contribution }) => contribution > 0);
  const share = alike.reduce((sum, { contribution }) => sum + contribution, 0);
  const whose = ask.asker.kind === "session" ? "this session" : "this user";
  const text =
    alike.length === 0
      ? `Behaves like ${whose} over many things, none of which stands out (similarity ${score.toFixed(2)}).`
      : `Behaves like ${whose}, chiefly around ${enumerate(alike.slice(0, 3).map(({ id, title }) => title ?? id))} (${share.toFixed(2)} of a similarity of ${score.toFixed(2)} from ${alike.length === 1 ? "what is listed" : "those listed"}).`;
  return { text, items, other, terms: {} };
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
