import { KindredError } from "../schemas/errors.js";
import type { UserId } from "../schemas/ids.js";

/** Bytes of what earlier versions wrote for each item that a commit touched: three i32. */
const ITEM_BYTES = 12;

/**
 * The users whose rows one commit made, changed or took away: users u32, items u32, 12 bytes for each item, then each user:
 * bytes u16, UTF-8. Little endian. Items are those whose counts earlier versions kept; written as none, and passed over.
 */
export function encodeChanges(users: readonly UserId[]): Uint8Array {
  const userBytes = users.reduce((sum, user) => sum + 2 + Buffer.byteLength(user, "utf8"), 0);
  const bytes = Buffer.allocUnsafe(8 + userBytes);
  bytes.writeUInt32LE(users.length, 0);
  bytes.writeUInt32LE(0, 4);
  let at = 8;
  for (const user of users) {
    const length = bytes.write(user, at + 2, "utf8");
    bytes.writeUInt16LE(length, at);
    at += 2 + length;
  }
  return bytes;
}

/** @throws KindredError STATE_CORRUPT */
export function decodeChanges(value: Uint8Array): UserId[] {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  try {
    let at = 8 + ITEM_BYTES * bytes.readUInt32LE(4);
    const users: UserId[] = [];
    for (let left = bytes.readUInt32LE(0); left > 0; left--) {
      const length = bytes.readUInt16LE(at);
      if (at + 2 + length > bytes.length) throw new RangeError("a user is cut");
      users.push(bytes.toString("utf8", at + 2, at + 2 + length) as UserId);
      at += 2 + length;
    }
    return users;
  } catch (error) {
    throw new KindredError("STATE_CORRUPT", "a change record is damaged", undefined, { cause: error });
  }
}
