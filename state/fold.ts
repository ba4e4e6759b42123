import type { BehaviourEvent } from "../schemas/event.js";
import type { EpochMs } from "../schemas/ids.js";
import { Row } from "../schemas/row.js";
import { applyChange } from "./derived-fields.js";
import { eventIdHash, hashEventId } from "./event-id-hash.js";
import { clampWeight } from "./event-weight.js";
import type { FoldContext } from "./fold-context.js";
import type { UserRow } from "./user-row.js";

export type FoldOutcome = "folded" | "duplicate" | "erased";

/**
 * Folds one event into a row, in place: (row, event, catalogue) decide the outcome and nothing else does: no wall clock, no
 * randomness, no other user's state. The row is of the context's activation; `finish` brings what is derived up to date.
 */
export function foldEvent(user: UserRow, event: BehaviourEvent, offset: number, context: FoldContext): FoldOutcome {
  const row = user.row;
  if (row.erasureEpoch > 0 && event.ts <= row.erasedAt) return "erased";
  if (event.id !== undefined && row.layout.ringCapacity > 0) {
    hashEventId(event.id);
    if (row.ringHas(eventIdHash.hi, eventIdHash.lo)) return "duplicate";
    row.ringAdd(eventIdHash.hi, eventIdHash.lo);
  }
  row.events += 1;
  row.offset = offset;
  if (event.ts > row.updatedAt) row.updatedAt = event.ts;
  const landmark = context.decay.landmark(event.ts);
  if (landmark > row.landmark) advance(user, landmark, context);
  const weight = context.weights.of(event.action, event.value);
  if (weight !== 0) addToProfile(user, context.items.ordinal(event.item), weight, event.ts, context);
  return "folded";
}

/** Everything known of the user goes; what is left says which events never count again. */
export function eraseUser(user: UserRow, at: EpochMs, context: FoldContext): void {
  const { erasureEpoch, erasedAt } = user.row;
  user.row = blankRow(context, erasureEpoch + 1, erasureEpoch > 0 ? Math.max(erasedAt, at) : at);
  user.stale = false;
}

/** A row with nothing folded, as of the context. */
export function blankRow(context: FoldContext, erasureEpoch: number, erasedAt: EpochMs): Row {
  const row = Row.create(context.layout);
  row.catalogue = context.catalogue.number;
  row.activation = context.activation;
  row.erasureEpoch = erasureEpoch;
  row.erasedAt = erasedAt;
  return row;
}

/**
 * Recomputes a row of an earlier activation for the next one. Given each later activation in turn, so that it does not
 * matter when a row is migrated: a profile that one catalogue cut short stays short under its successor.
 */
export function migrateRow(user: UserRow, context: FoldContext): void {
  user.row = user.row.relaid(context.layout);
  user.row.catalogue = context.catalogue.number;
  user.row.activation = context.activation;
  user.row.landmark = user.exists ? context.decay.landmark(user.row.updatedAt) : -1;
  user.refresh(context.decay);
  user.sort(context.items);
  user.stale = true;
  while (user.row.entryCount > context.profileItems) evict(user, context);
}

/** A later landmark: every effective weight changes, so what is derived is computed from the profile once the batch ends. */
function advance(user: UserRow, landmark: number, context: FoldContext): void {
  user.row.landmark = landmark;
  if (context.decay.table.length === 1 || user.row.entryCount === 0) return;
  user.refresh(context.decay);
  user.sort(context.items);
  user.stale = true;
}

function addToProfile(user: UserRow, item: number, weight: number, ts: EpochMs, context: FoldContext): void {
  const { decay, items } = context;
  const row = user.row;
  const landmark = decay.landmark(ts);
  const at = row.findEntry(item);
  if (at >= 0) {
    const before = user.effective[at] as number;
    const entryTs = row.entryTs(at);
    const gap = landmark - decay.landmark(entryTs);
    const sum = clampWeight(
      gap >= 0 ? decay.weightAfter(row.entryWeight(at), gap) + weight : row.entryWeight(at) + decay.weightAfter(weight, -gap),
    );
    const newest = Math.max(ts, entryTs);
    const after = decay.weightAfter(sum, row.landmark - decay.landmark(newest));
    user.update(at, sum, newest, after, items);
    applyChange(user, context, item, before, after);
    return;
  }
  const effective = decay.weightAfter(weight, row.landmark - landmark);
  if (row.entryCount >= context.profileItems) {
    // A newcomer of today always gets in, or a full profile would stay as it is; a late one must be stronger than the weakest.
    if (landmark < row.landmark && Math.abs(effective) < Math.abs(user.effective[row.entryCount - 1] as number)) return;
    evict(user, context);
  }
  user.insert(item, weight, ts, effective, items);
  applyChange(user, context, item, 0, effective);
}

function evict(user: UserRow, context: FoldContext): void {
  const at = user.weakest();
  const item = user.row.entryItem(at);
  const effective = user.effective[at] as number;
  user.remove(at);
  applyChange(user, context, item, effective, 0);
}
