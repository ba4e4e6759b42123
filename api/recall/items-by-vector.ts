import type { RecallStep } from "./recall-step.js";
import { unit } from "./vector-arithmetic.js";
import { countPositive } from "./vector-neighbors.js";

/**
 * u2i by a trained model: items whose output vectors have the largest inner products with the asker's pooled vector, at length 1
 * (how long a mean is says how mixed a taste is, and changes no order). Those at or below zero are not what the asker likes.
 */
export const itemsByVector: RecallStep = {
  rung: "vector",
  async find({ asker, space: { items }, limit, settings }) {
    const pooled = items === undefined ? undefined : unit(asker.vector());
    if (items === undefined || pooled === undefined) return null;
    const options = { k: limit, exclude: asker.seen(), deadlineMs: settings.searchDeadlineMs };
    const { ordinals, scores, degraded } = await items.outputs.search(Float32Array.from(pooled), options);
    return { of: "items", method: "vector", ordinals: ordinals.subarray(0, countPositive(scores)), scores, degraded };
  },
};
