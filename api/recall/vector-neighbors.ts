import type { RecallStep } from "./recall-step.js";

/** u2u: users whose pooled vectors point the same way. Only those at a positive cosine are alike. */
export const vectorNeighbors: RecallStep = {
  rung: "vector",
  async find({ asker, limit, settings }) {
    const { ordinals, scores, degraded } = await asker.neighbors({ k: limit, deadlineMs: settings.searchDeadlineMs });
    const alike = countPositive(scores);
    return { of: "users", method: "vector", ordinals: ordinals.subarray(0, alike), scores, degraded };
  },
};

/** Scores come best first: how many of them are positive. */
export function countPositive(scores: Float32Array): number {
  let count = scores.length;
  while (count > 0 && scores[count - 1]! <= 0) count--;
  return count;
}
