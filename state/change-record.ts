import { KindredError } from "../schemas/errors.js";
import type { UserId } from "../schemas/ids.js";

/** What one commit changed: the users whose rows are new, other or gone, and by how much the counts of items moved. */
export interface ChangeRecord {
  readonly users: readonly UserId[];
  /** Triples: item ordinal, change of the users who hold it, events on it. */
  readonly items: Int32Array;
}

/** users u32, items u32, the triples i32, then each user: bytes u16, UTF-8. Little endian. */
export function encodeChanges(record: ChangeRecord): Uint8Array {
  const userBytes = record.users.reduce((sum, user) => sum + 2 + Buffer.byteLength(user, "utf8"), 0);
  const bytes = Buffer.allocUnsafe(8 + 4 * record.items.length + userBytes);
  bytes.writeUInt32LE(record.users.length, 0);
  bytes.writeUInt32LE(record.items.length / 3, 4);
  let at = 8;
  for (const value of record.items) at = bytes.writeInt32LE(value, at);
  for (const user of record.users) {
    const length = bytes.write(user, at + 2, "utf8");
    bytes.writeUInt16LE(length, at);
    at += 2 + length;
  }
  return bytes;
}

/** @throws KindredError STATE_CORRUPT */
export function decodeChanges(value: Uint8Array): ChangeRecord {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  try {
    const items = new Int32Array(3 * bytes.readUInt32LE(4));
    let at = 8;
    for (let i = 0; i < items.length; i++, at += 4) items[i] = bytes.readInt32LE(at);
    const users: UserId[] = [];
    for (let left = bytes.readUInt32LE(0); left > 0; left--) {
      const length = bytes.readUInt16LE(at);
      if (at + 2 + length > bytes.length) throw new RangeError("a user is cut");
      users.push(bytes.toString("utf8", at + 2, at + 2 + length) as UserId);
      at += 2 + length;
    }
    return { users, items };
  } catch (error) {
    throw new KindredError("STATE_CORRUPT", "a change record is damaged", undefined, { cause: error });
  }
}
