import type { RecallStep } from "./recall-step.js";
import { countPositive } from "./vector-neighbors.js";

/** u2u2i: what near users like and the asker has not met. */
export const itemsOfNeighbors: RecallStep = {
  rung: "vector",
  async find({ asker, readModel, limit, settings }) {
    const near = await asker.neighbors({ k: settings.u2u2iNeighbors, deadlineMs: settings.searchDeadlineMs });
    const alike = countPositive(near.scores);
    if (alike === 0) return null;
    const neighbors = near.ordinals.slice(0, alike);
    const likeness = near.scores.slice(0, alike);
    const { ordinals, scores, via } = await readModel.itemsOfNeighbors(neighbors, likeness, asker.seen(), limit);
    return {
      of: "items",
      method: "items-of-neighbors",
      ordinals,
      scores,
      degraded: near.degraded,
      through: { neighbors, scores: likeness, via },
    };
  },
};
