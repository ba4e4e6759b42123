import { KindredError } from "../../schemas/errors.js";

/** "KDIDS", version 1, then the number of ids as u32; each id as u16 length and UTF-8, length 0 for an id nobody knows any more. */
const MAGIC = Buffer.from("KDIDS\x01\0\0", "latin1");
const HEADER_BYTES = MAGIC.length + 4;

/** Ids in the order of their rows, as the bytes of a file. */
export function encodeIds(ids: readonly (string | null | undefined)[]): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + ids.reduce((sum, id) => sum + 2 + (id ? Buffer.byteLength(id) : 0), 0));
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(ids.length, MAGIC.length);
  let at = HEADER_BYTES;
  for (const id of ids) {
    const length = id ? bytes.write(id, at + 2) : 0;
    bytes.writeUInt16LE(length, at);
    at += 2 + length;
  }
  return bytes;
}

/** @throws KindredError SHARD_CORRUPT naming the file */
export function decodeIds(bytes: Buffer, where: string): (string | null)[] {
  const corrupt = (what: string): KindredError => new KindredError("SHARD_CORRUPT", `the ids ${what}`, where);
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw corrupt("are of another format or version");
  const count = bytes.readUInt32LE(MAGIC.length);
  const ids: (string | null)[] = [];
  let at = HEADER_BYTES;
  while (ids.length < count) {
    if (at + 2 > bytes.length) throw corrupt("end too early");
    const end = at + 2 + bytes.readUInt16LE(at);
    if (end > bytes.length) throw corrupt("end too early");
    ids.push(end === at + 2 ? null : bytes.toString("utf8", at + 2, end));
    at = end;
  }
  if (at !== bytes.length) throw corrupt("go on after their end");
  return ids;
}
