import type { Static } from "typebox";
import type { ErasureAnswer } from "../schemas/http.js";
import type { UserId } from "../schemas/ids.js";
import { formatPosition } from "../schemas/position.js";
import { reached } from "./after.js";
import type { ResolvedParts } from "./server-parts.js";
import { toTime } from "./wire-time.js";

/**
 * Erases a user and looks whether it is gone: the receipt says what was found in each place afterwards, not what was meant.
 * The erasure is durable when this resolves, also when it was not applied within the wait (`complete` is false then).
 */
export async function eraseUser(parts: ResolvedParts, user: UserId): Promise<Static<typeof ErasureAnswer>> {
  const { intake, applied, owner, readModel, settings } = parts;
  const before = readModel.user(user);
  const engine = parts.users();
  const hadVector = before !== undefined && engine.vector(before.ordinal) !== undefined;
  // Events may be dated slightly ahead of our clock: the erasure has to reach those that are already folded.
  const at = Math.max(Date.now(), before?.updatedAt ?? 0);
  const { position, payloadKeyDropped } = await intake.erase(user, at);
  const token = formatPosition(position);
  const isApplied = await reached(applied, token, settings.erasureWaitMs);
  const row = await owner.profile(user);
  // Whoever acts again after the erasure begins anew: that row is not of before.
  const isNew = (offset: number, partition: number): boolean => offset > (position.get(partition as never) ?? 0);
  const published = readModel.user(user);
  const removed: Static<typeof ErasureAnswer>["removed"] = [
    // Dropped now, or there was none to drop: either way nothing that the log holds of the user can be read.
    { where: "log", what: payloadKeyDropped ? "the key of the user's payloads" : "no key of the user's payloads was held", removed: true },
    {
      where: "state",
      what: "the row: profile, accumulators, pooled sums",
      removed: isApplied && (row === undefined || isNew(row.offset, row.partition)),
    },
    {
      where: "read-model",
      what:
        before === undefined
          ? "nothing was published"
          : `the published row (${before.events} events, ${before.items.length} items) and its fingerprint, in memory; saved index files follow with the next save`,
      removed: isApplied && (published === undefined || isNew(published.offset, published.partition)),
    },
    {
      where: "index",
      what: hadVector ? "the pooled vector in memory; saved index files follow with the next save" : "no vector was held",
      removed: isApplied && (before === undefined || engine.vector(before.ordinal) === undefined),
    },
  ];
  return { user, erasedAt: toTime(at), position: token, complete: removed.every((part) => part.removed), removed };
}
