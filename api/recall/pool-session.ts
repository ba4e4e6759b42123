import type { FoldSettings, ItemVectors } from "../../schemas/catalogue.js";
import { WEIGHT_ONE } from "../../schemas/catalogue.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import type { ItemId } from "../../schemas/ids.js";
import type { WeightedItems } from "./recall-step.js";

type Weights = Pick<FoldSettings, "actions" | "values">;

/** The weight of one event, 1.0 for a plain one: its action's, scaled by (1 + log2(1 + value / unit)) up to the action's cap. */
export function weightOf(event: BehaviourEvent, settings: Weights): number {
  const weight = (settings.actions[event.action] ?? 0) / WEIGHT_ONE;
  const scale = settings.values[event.action];
  if (event.value === undefined || scale === undefined) return weight;
  return weight * Math.min(scale.maxScale, 1 + Math.log2(1 + event.value / scale.unit));
}

/** A session's items with their summed weights, strongest |weight| first, ties by id. Nothing decays within a session. */
export function weighSession(events: readonly BehaviourEvent[], settings: Weights): WeightedItems {
  const sums = new Map<ItemId, number>();
  for (const event of events) sums.set(event.item, (sums.get(event.item) ?? 0) + weightOf(event, settings));
  const sorted = [...sums].sort(([a, x], [b, y]) => Math.abs(y) - Math.abs(x) || (a < b ? -1 : 1));
  return { items: sorted.map(([item]) => item), weights: Float32Array.from(sorted, ([, weight]) => weight) };
}

/** Sum of weight times item vector; undefined where it is zero or no item has a vector. Cosine needs no mean. */
export function poolItems({ items, weights }: WeightedItems, vectors: ItemVectors): Float64Array | undefined {
  const sum = new Float64Array(vectors.dims);
  items.forEach((item, i) => {
    const vector = vectors.vector(item);
    const weight = weights[i]!;
    if (vector !== undefined) for (let d = 0; d < sum.length; d++) sum[d]! += weight * vector[d]!;
  });
  return sum.some((component) => component !== 0) ? sum : undefined;
}
