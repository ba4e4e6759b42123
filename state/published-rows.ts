import { WEIGHT_ONE } from "../schemas/catalogue.js";
import type { ItemId, Offset, UserId } from "../schemas/ids.js";
import type { PublishedRow } from "../schemas/ports/read-model.js";
import type { PublishedRows } from "../schemas/ports/row-source.js";
import type { FoldContext } from "./fold-context.js";
import type { UserRow } from "./user-row.js";

/** Rows of the context's activation, brought up to date, as readers see them; `gone` and users who do not exist (any more) go under `erased`. */
export function toPublishedRows(users: readonly UserRow[], context: FoldContext | undefined, gone: readonly UserId[] = []): PublishedRows {
  const live = users.filter((user) => user.exists);
  const erased = [...new Set([...gone, ...users.filter((user) => !user.exists).map((user) => user.user)])];
  if (context === undefined) return { rows: [], erased, vectors: [] };
  const vectors = context.pools.map((pool, g) => {
    const values = new Float32Array(live.length * pool.dims);
    for (const [i, user] of live.entries())
      pool.writeMean(user.row.f64, user.row.sumsAt[g] as number, user.row.totalWeight, values, i * pool.dims);
    return { generation: pool.generation, dims: pool.dims, values };
  });
  // One block for all weights: a buffer a row would cost more than what is written into it.
  const weights = new Float32Array(live.reduce((sum, user) => sum + user.row.entryCount, 0));
  let used = 0;
  const rows = live.map((user) => {
    const from = used;
    used += user.row.entryCount;
    return toPublishedRow(user, context, weights.subarray(from, used));
  });
  return { rows, erased, vectors };
}

function toPublishedRow(user: UserRow, context: FoldContext, weights: Float32Array): PublishedRow {
  const row = user.row;
  const count = row.entryCount;
  const items = new Array<ItemId>(count);
  for (let i = 0; i < count; i++) {
    items[i] = context.items.id(row.entryItem(i));
    weights[i] = (user.effective[i] as number) / WEIGHT_ONE;
  }
  return {
    user: user.user,
    fingerprintHi: row.fingerprintHi,
    fingerprintLo: row.fingerprintLo,
    hasFingerprint: row.hasFingerprint,
    events: row.events,
    updatedAt: row.updatedAt,
    offset: row.offset as Offset,
    items,
    weights,
  };
}
