import type { Static } from "typebox";
import type { ErasureAnswer } from "../schemas/http.js";
import type { Offset, Partition, UserId } from "../schemas/ids.js";
import { formatPosition } from "../schemas/position.js";
import { reached } from "./after.js";
import type { ResolvedParts } from "./server-parts.js";
import { toTime } from "./wire-time.js";

type Receipt = Static<typeof ErasureAnswer>;

/** What one part held of the user before the erasure, and whether it holds it no more. */
interface Part {
  readonly where: Receipt["nothingIn"][number];
  readonly what: string;
  readonly held: boolean;
  readonly gone: boolean;
}

/**
 * Erases a user and looks whether it is gone: the receipt says what was found in each place before and afterwards, not what was
 * meant. The erasure is durable when this resolves, also when it was not applied within the wait (`complete` is false then).
 */
export async function eraseUser(parts: ResolvedParts, user: UserId): Promise<Receipt> {
  const { intake, applied, owner, readModel, settings } = parts;
  const before = readModel.user(user);
  const rowBefore = await owner.profile(user);
  const engine = parts.space().users;
  const hadVector = before !== undefined && engine.vector(before.ordinal) !== undefined;
  // Events may be dated slightly ahead of our clock: the erasure has to reach those that are already folded.
  const at = Math.max(Date.now(), before?.updatedAt ?? 0, rowBefore?.updatedAt ?? 0);
  const { position, payloadKeyDropped } = await intake.erase(user, at);
  const token = formatPosition(position);
  const isApplied = await reached(applied, token, settings.erasureWaitMs);
  const row = await owner.profile(user);
  const published = readModel.user(user);
  // Whoever acts again after the erasure begins anew: that row is not of before.
  const isOld = (found: { offset: Offset; partition: Partition } | undefined): boolean =>
    found !== undefined && found.offset <= (position.get(found.partition) ?? 0);
  const looked: Part[] = [
    // Where no key was held, nothing that the log has of the user could be read before either.
    { where: "log", what: "the key of the user's payloads", held: payloadKeyDropped, gone: true },
    {
      where: "state",
      what: "the row: profile, accumulators, pooled sums",
      held: rowBefore !== undefined,
      gone: isApplied && !isOld(row),
    },
    {
      where: "read-model",
      what: `the published row (${before?.events ?? 0} events, ${before?.items.length ?? 0} items) and its fingerprint, in memory; saved index files follow with the next save`,
      held: before !== undefined,
      gone: isApplied && !isOld(published),
    },
    {
      where: "index",
      what: "the pooled vector in memory; saved index files follow with the next save",
      held: hadVector,
      gone: isApplied && (before === undefined || engine.vector(before.ordinal) === undefined),
    },
  ];
  return receiptOf(looked, { user, erasedAt: toTime(at), position: token });
}

/** Nothing is said to be removed that was not there. */
function receiptOf(looked: readonly Part[], head: Pick<Receipt, "user" | "erasedAt" | "position">): Receipt {
  const nothing = looked.filter(({ held, gone }) => !held && gone);
  return {
    ...head,
    complete: looked.every(({ gone }) => gone),
    removed: looked.filter((part) => !nothing.includes(part)).map(({ where, what, gone }) => ({ where, what, removed: gone })),
    nothingIn: nothing.map(({ where }) => where),
  };
}
