import type { RecallStep } from "./recall-step.js";

/** u2u without a vector: users whose 64-bit fingerprints differ in few bits. The score is the share of bits that agree. */
export const fingerprintNeighbors: RecallStep = {
  rung: "fingerprint",
  async find({ asker, readModel, limit, settings }) {
    if (asker.user === undefined) return null;
    const { ordinals, distances, truncated } = await readModel.nearFingerprints(asker.user, settings.fingerprintDistance, limit);
    return {
      of: "users",
      method: "fingerprint",
      ordinals,
      scores: Array.from(distances, (d) => 1 - d / 64),
      distances,
      degraded: truncated,
    };
  },
};
