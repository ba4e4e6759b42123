import type { KafkaMessage } from "kafkajs";
import { KindredError } from "../../schemas/errors.js";

/** Bytes of a batch (format 2) before its records, and where in them its fields are. */
const HEAD_BYTES = 61;
const LENGTH_AT = 8;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_DELTA_AT = 23;
const COUNT_AT = 57;

/** The only header of a record that stands for one that cannot be read. */
const DAMAGE = "kindred-damage";

/** A whole batch as it came from the broker. */
interface CompressedBatch {
  readonly bytes: Buffer;
  readonly count: number;
  readonly lastDelta: number;
}

/**
 * The batch that compressed records are the end of: kafkajs hands them out as a part of what it received, so the batch's head lies
 * before them. Undefined where it does not (an older format, another kafkajs).
 */
export function compressedBatch(records: Buffer): CompressedBatch | undefined {
  if (records.byteOffset < HEAD_BYTES) return undefined;
  const bytes = Buffer.from(records.buffer, records.byteOffset - HEAD_BYTES, HEAD_BYTES + records.length);
  const [count, lastDelta] = [bytes.readInt32BE(COUNT_AT), bytes.readInt32BE(LAST_DELTA_AT)];
  const fits = bytes[MAGIC_AT] === 2 && bytes.readInt32BE(LENGTH_AT) === bytes.length - (LENGTH_AT + 4);
  return fits && count > 0 && count <= lastDelta + 1 ? { bytes, count, lastDelta } : undefined;
}

/** Whether the batch has its checksum. */
export const isIntact = ({ bytes }: CompressedBatch): boolean => crc32c(bytes.subarray(ATTRIBUTES_AT)) === bytes.readUInt32BE(CRC_AT);

/** As many records as the damaged batch had, at its offsets, without key and value, each saying what is wrong: what kafkajs decodes in their place. */
export function damagedRecords({ count, lastDelta }: CompressedBatch, why: string): Buffer {
  const records: Buffer[] = [];
  const [name, text] = [Buffer.from(DAMAGE), Buffer.from(why)];
  for (let i = 0; i < count; i++) {
    const delta = i === count - 1 ? lastDelta : i;
    const body = Buffer.concat([
      // attributes, difference of time, of offset, no key, no value, one header
      Buffer.from([0, 0]),
      varint(delta),
      Buffer.from([1, 1]),
      varint(1),
      varint(name.length),
      name,
      varint(text.length),
      text,
    ]);
    records.push(varint(body.length), body);
  }
  return Buffer.concat(records);
}

/** Why a record could not be read; undefined where it is one. */
export function damageOf({ value, headers }: KafkaMessage): string | undefined {
  const why = value === null ? headers?.[DAMAGE] : undefined;
  return why === undefined ? undefined : `the compressed batch of this record is damaged: ${String(why)}`;
}

/** For topics of ours, which must be whole. @throws KindredError RECORD_UNREADABLE */
export function refuseDamaged(topic: string, partition: number, records: readonly KafkaMessage[]): void {
  for (const record of records) {
    const damage = damageOf(record);
    if (damage !== undefined)
      throw new KindredError("RECORD_UNREADABLE", damage, `${topic} partition ${partition} offset ${record.offset}`);
  }
}

/** A signed number as records hold it: zigzag, 7 bits a byte. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** CRC-32C (Castagnoli), as batches have it. */
export function crc32c(bytes: Uint8Array): number {
  let crc = ~0;
  for (let i = 0; i < bytes.length; i++) crc = (CRC_TABLE[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}
