import type { RecallStep } from "./recall-step.js";

/** Items found in profiles together with the asker's strongest (or with the one item asked for). */
export const coOccurringItems: RecallStep = {
  rung: "co-occurrence",
  async find({ asker, readModel, limit, settings }) {
    const seeds = asker.seeds(settings.coOccurrenceSeeds);
    if (seeds.ordinals.length === 0) return null;
    const { ordinals, scores } = await readModel.coOccurring(seeds.ordinals, seeds.weights, asker.seen(), limit);
    return { of: "items", method: "co-occurrence", ordinals, scores, degraded: false };
  },
};
