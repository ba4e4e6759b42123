import { KindredError } from "../schemas/errors.js";
import type { ItemId, UserId } from "../schemas/ids.js";
import { MAX_ID_LENGTH } from "../schemas/ids.js";

// The schema counts characters, an id UTF-16 code units; and a lone surrogate has no UTF-8 form.
function check(text: string, name: string): void {
  if (text.length < 1 || text.length > MAX_ID_LENGTH || !text.isWellFormed())
    throw new KindredError("INVALID_PARAMETER", `${name} must be a string of 1 to ${MAX_ID_LENGTH} characters`, name);
}

/** @throws KindredError INVALID_PARAMETER */
export function toUserId(text: string): UserId {
  check(text, "user");
  return text as UserId;
}

/** @throws KindredError INVALID_PARAMETER */
export function toItemId(text: string): ItemId {
  check(text, "item");
  return text as ItemId;
}
