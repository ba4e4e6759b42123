import type { RecallStep } from "./recall-step.js";

/** The last rung of u2u: who was active just now. Nothing is known of likeness: scores only keep the order. */
export const recentUsers: RecallStep = {
  rung: "popular",
  find({ asker, readModel, limit }) {
    const recent = readModel.recentUsers(limit + 1);
    const others = (asker.user === undefined ? recent : recent.filter((ordinal) => ordinal !== asker.user)).subarray(0, limit);
    return { of: "users", method: "recent", ordinals: others, scores: Array.from(others, (_, i) => 1 / (i + 1)), degraded: false };
  },
};
