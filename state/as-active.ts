import { finish } from "./derived-fields.js";
import { migrateRow } from "./fold.js";
import type { FoldContext } from "./fold-context.js";
import type { UserRow } from "./user-row.js";

/** What migration will make of a row that nobody keeps. @param contexts oldest first */
export function asActive(user: UserRow, contexts: readonly FoldContext[]): UserRow {
  const later = contexts.filter(({ activation }) => activation > user.row.activation);
  if (later.length === 0) return user;
  for (const context of later) migrateRow(user, context);
  finish(user, later.at(-1) as FoldContext);
  return user;
}
