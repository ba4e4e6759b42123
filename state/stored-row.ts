import { KindredError } from "../schemas/errors.js";
import type { UserId } from "../schemas/ids.js";
import { Row } from "../schemas/row.js";
import type { FoldContext } from "./fold-context.js";
import { UserRow } from "./user-row.js";

/** A row read from the store, with its effective weights where it is of the active catalogue (others get theirs when they migrate). */
export function readStoredRow(user: UserId, bytes: Uint8Array, contexts: readonly FoldContext[]): UserRow {
  const row = UserRow.stored(user, Row.decode(bytes, `user ${user}`));
  const context = contexts.find(({ activation }) => activation === row.row.activation);
  if (context === undefined)
    throw new KindredError("STATE_CORRUPT", `a row is of activation ${row.row.activation}, which is not known`, `user ${user}`);
  row.refresh(context.decay);
  return row;
}
