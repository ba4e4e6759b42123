import type { RecallStep } from "./recall-step.js";

/** The last rung of items: those in most profiles, which the asker has not met. The score is their number of users. */
export const popularItems: RecallStep = {
  rung: "popular",
  find({ asker, readModel, limit }) {
    const seen = new Set(asker.seen());
    const { ordinals, scores } = readModel.popularItems(limit + seen.size);
    const unseen: number[] = [];
    for (let i = 0; i < ordinals.length && unseen.length < limit; i++) if (!seen.has(ordinals[i]!)) unseen.push(i);
    return {
      of: "items",
      method: "popular",
      ordinals: Uint32Array.from(unseen, (i) => ordinals[i]!),
      scores: unseen.map((i) => scores[i]!),
      degraded: false,
    };
  },
};
