import { FINGERPRINT_BITS } from "../schemas/row.js";
import type { FoldContext } from "./fold-context.js";
import { fingerprintOf } from "./simhash.js";
import type { UserRow } from "./user-row.js";

/** An item's effective weight in the profile changed (0 = not there): the same difference to everything that is linear in the profile. */
export function applyChange(user: UserRow, context: FoldContext, item: number, before: number, after: number): void {
  if (user.stale || before === after) return;
  const row = user.row;
  row.totalWeight += Math.abs(after) - Math.abs(before);
  for (let g = 0; g < context.pools.length; g++)
    (context.pools[g] as FoldContext["pools"][0]).add(row.f64, row.sumsAt[g] as number, item, after - before);
  if (context.keywords.linear) context.keywords.applyChange(row.f64, row.accumulatorsAt, item, before, after);
}

/** Total weight, sums and accumulators from the profile alone. Effective weights are up to date before. */
export function recompute(user: UserRow, context: FoldContext): void {
  const row = user.row;
  let total = 0;
  for (let i = 0; i < row.entryCount; i++) total += Math.abs(user.effective[i] as number);
  row.totalWeight = total;
  context.pools.forEach((pool, g) => {
    const at = row.sumsAt[g] as number;
    row.f64.fill(0, at, at + pool.dims);
    for (let i = 0; i < row.entryCount; i++)
      if (user.effective[i] !== 0) pool.add(row.f64, at, row.entryItem(i), user.effective[i] as number);
  });
  accumulate(user, context);
  user.stale = false;
}

/** Brings everything derived up to date, once a micro-batch and touched row. */
export function finish(user: UserRow, context: FoldContext): void {
  if (user.stale) recompute(user, context);
  else if (!context.keywords.linear) accumulate(user, context);
  const { has, hi, lo } = fingerprintOf(user.row.f64, user.row.accumulatorsAt);
  user.row.setFingerprint(has, hi, lo);
}

function accumulate(user: UserRow, context: FoldContext): void {
  const { f64, accumulatorsAt } = user.row;
  f64.fill(0, accumulatorsAt, accumulatorsAt + FINGERPRINT_BITS);
  context.keywords.accumulate(user, f64, accumulatorsAt);
}
