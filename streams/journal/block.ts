import { crc32 } from "node:zlib";
import type { EpochMs } from "../../schemas/ids.js";

/** A sealed record as a block holds it. */
export interface BlockRecord {
  /** Which payload key seals it; 0 = the journal's own. */
  readonly keyRef: number;
  readonly acceptedAt: EpochMs;
  readonly sealed: Uint8Array;
}

/** Most records and bytes of one block. */
export const MAX_BLOCK_RECORDS = 4096;
export const MAX_BLOCK_BYTES = 1 << 20;

const VERSION = 1;
/** version u8, 3 zero bytes, crc32 u32 of all that follows it, count u32 */
const HEAD_BYTES = 12;
/** key reference f64, accepted at f64, length u32 */
const ENTRY_BYTES = 20;

/**
 * The records of one commit in one value: head, a table with an entry for each record, then the sealed payloads end to end.
 * All little endian. The crc finds flipped and missing bytes of the table; payloads carry their own tag besides.
 */
export function encodeBlock(records: readonly BlockRecord[]): Buffer {
  let bytes = HEAD_BYTES + records.length * ENTRY_BYTES;
  for (const record of records) bytes += record.sealed.length;
  const block = Buffer.allocUnsafeSlow(bytes);
  const view = new DataView(block.buffer);
  view.setUint32(0, VERSION, true);
  view.setUint32(8, records.length, true);
  let entry = HEAD_BYTES;
  let payload = HEAD_BYTES + records.length * ENTRY_BYTES;
  for (const { keyRef, acceptedAt, sealed } of records) {
    view.setFloat64(entry, keyRef, true);
    view.setFloat64(entry + 8, acceptedAt, true);
    view.setUint32(entry + 16, sealed.length, true);
    block.set(sealed, payload);
    entry += ENTRY_BYTES;
    payload += sealed.length;
  }
  view.setUint32(4, crc32(block.subarray(8)), true);
  return block;
}

/** The records of a block; their payloads are views of `block`. @throws Error saying what is wrong with it */
export function decodeBlock(block: Uint8Array): BlockRecord[] {
  if (block.length < HEAD_BYTES) throw new Error(`a block of ${block.length} bytes`);
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  if (view.getUint32(0, true) !== VERSION) throw new Error("a block of an unknown version");
  if (crc32(block.subarray(8)) !== view.getUint32(4, true)) throw new Error("the block's checksum does not fit");
  const count = view.getUint32(8, true);
  const records: BlockRecord[] = new Array(count);
  let entry = HEAD_BYTES;
  let payload = HEAD_BYTES + count * ENTRY_BYTES;
  for (let i = 0; i < count; i++) {
    const end = payload + view.getUint32(entry + 16, true);
    if (end > block.length) throw new Error("the block is cut short");
    records[i] = {
      keyRef: view.getFloat64(entry, true),
      acceptedAt: view.getFloat64(entry + 8, true),
      sealed: block.subarray(payload, end),
    };
    entry += ENTRY_BYTES;
    payload = end;
  }
  return records;
}

/** Cuts records into blocks within the limits. */
export function* inBlocks(records: readonly BlockRecord[]): Generator<readonly BlockRecord[]> {
  let start = 0;
  let bytes = 0;
  for (let i = 0; i < records.length; i++) {
    const size = ENTRY_BYTES + (records[i] as BlockRecord).sealed.length;
    if (i > start && (i - start >= MAX_BLOCK_RECORDS || bytes + size > MAX_BLOCK_BYTES)) {
      yield records.slice(start, i);
      start = i;
      bytes = 0;
    }
    bytes += size;
  }
  if (start < records.length) yield start === 0 ? records : records.slice(start);
}
