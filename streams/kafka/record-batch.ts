import type { KafkaMessage } from "kafkajs";
import { KindredError } from "../../schemas/errors.js";
import { ByteReader } from "../registry/byte-reader.js";

/** Bytes of a batch (format 2) before its records, and where in them its fields are (Kafka's documentation, "Record Batch"). */
const HEAD_BYTES = 61;
const LENGTH_AT = 8;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_DELTA_AT = 23;
const FIRST_TIMESTAMP_AT = 27;
const MAX_TIMESTAMP_AT = 35;
const PRODUCER_AT = 43;
const COUNT_AT = 57;

const CODEC_MASK = 0x07;
const LOG_APPEND_TIME = 0x08;
const IN_TRANSACTION = 0x10;
const CONTROL = 0x20;

const NO_HEADERS: Headers = Object.freeze({});
type Headers = NonNullable<KafkaMessage["headers"]>;

/** What a batch's records have in common, as kafkajs asks for it: which of them belong to an aborted transaction. */
interface BatchContext {
  readonly producerId: string;
  readonly inTransaction: boolean;
}

/**
 * A record as kafkajs hands it out. Its types say that `offset` and `timestamp` are texts: everything here and there takes them for numbers, and a text
 * of each would be most of what reading a record costs. Exact below 2^53.
 */
export class FetchedRecord {
  constructor(
    readonly offset: number,
    readonly timestamp: number,
    readonly key: Buffer | null,
    readonly value: Buffer | null,
    readonly headers: Headers,
    readonly isControlRecord: boolean,
    readonly batchContext: BatchContext,
    /** Why it could not be read: then key and value are null, and mean nothing. */
    readonly damage?: string,
  ) {}

  /** In its place, for kafkajs to read on behind it, and to show to nobody. */
  hidden(): FetchedRecord {
    return new FetchedRecord(this.offset, this.timestamp, null, null, NO_HEADERS, true, this.batchContext);
  }
}

/** Where kafkajs is in the answer to a fetch. */
export interface AnswerReader {
  readonly buffer: Buffer;
  offset: number;
}

/** @throws Error where the bytes are not what the codec makes */
export type Decompress = (codec: number, bytes: Buffer) => Promise<Buffer>;

/**
 * Reads the next batch of records of a fetch: what kafkajs' own decoder does with far fewer objects, and it believes nothing that has not its
 * checksum. A batch that is damaged, or that its codec cannot read, becomes as many records that say so as it had, at its offsets (or one, where its head does not say how many).
 * @throws Error named KafkaJSPartialMessageError, as kafkajs wants it, where the answer ends within the batch: the broker cuts it anywhere
 */
export async function readRecordBatch(answer: AnswerReader, decompress: Decompress): Promise<{ records: FetchedRecord[] }> {
  const { buffer, offset: begin } = answer;
  const end = begin + LENGTH_AT + 4 + buffer.readInt32BE(begin + LENGTH_AT);
  if (end > buffer.length) throw Object.assign(new Error("the answer ends within a batch"), { name: "KafkaJSPartialMessageError" });
  if (end < begin + HEAD_BYTES) throw new KindredError("RECORD_UNREADABLE", "a batch of records is shorter than its own head");
  answer.offset = end;
  const batch = buffer.subarray(begin, end);
  if (crc32c(batch, ATTRIBUTES_AT) !== batch.readUInt32BE(CRC_AT))
    return { records: damaged(batch, nextBatch(answer), "its checksum does not match") };
  const codec = batch.readInt16BE(ATTRIBUTES_AT) & CODEC_MASK;
  try {
    const bytes = batch.subarray(HEAD_BYTES);
    return { records: readRecords(batch, codec === 0 ? bytes : await decompress(codec, bytes)) };
  } catch (error) {
    return { records: damaged(batch, nextBatch(answer), (error as Error).message) };
  }
}

function readRecords(batch: Buffer, bytes: Buffer): FetchedRecord[] {
  const attributes = batch.readInt16BE(ATTRIBUTES_AT);
  const firstOffset = Number(batch.readBigInt64BE(0));
  const firstTimestamp = Number(batch.readBigInt64BE(FIRST_TIMESTAMP_AT));
  const appended = (attributes & LOG_APPEND_TIME) === 0 ? undefined : Number(batch.readBigInt64BE(MAX_TIMESTAMP_AT));
  const isControl = (attributes & CONTROL) !== 0;
  const context = contextOf(batch);
  const reader = new ByteReader(bytes);
  const records: FetchedRecord[] = [];
  for (let left = batch.readInt32BE(COUNT_AT); left > 0; left--) {
    const length = reader.zigzag();
    const next = reader.position + length;
    reader.byte();
    const timestamp = firstTimestamp + reader.zigzag();
    const offset = firstOffset + reader.zigzag();
    const key = readBytes(reader);
    const value = readBytes(reader);
    const headers = readHeaders(reader);
    if (reader.position !== next) throw new Error("a record is not as long as it says");
    records.push(new FetchedRecord(offset, appended ?? timestamp, key, value, headers, isControl, context));
  }
  // Of a compacted batch the last records may be gone, or all of them: without one at its end kafkajs would ask for the same place for ever.
  const last = firstOffset + batch.readInt32BE(LAST_DELTA_AT);
  if ((records.at(-1)?.offset ?? -1) < last) records.push(new FetchedRecord(last, firstTimestamp, null, null, NO_HEADERS, true, context));
  return records;
}

function readBytes(reader: ByteReader): Buffer | null {
  const length = reader.zigzag();
  if (length === -1) return null;
  const begin = reader.take(length);
  return reader.bytes.subarray(begin, begin + length);
}

/** The values of a name that comes several times are a list. */
function readHeaders(reader: ByteReader): Headers {
  const count = reader.zigzag();
  if (count === 0) return NO_HEADERS;
  // A producer may call one __proto__.
  const headers: Headers = Object.create(null);
  for (let i = 0; i < count; i++) {
    const name = String(readBytes(reader) ?? "");
    const value = readBytes(reader) ?? undefined;
    const before = headers[name];
    headers[name] = before === undefined || value === undefined ? value : [before, value].flat();
  }
  return headers;
}

const contextOf = (batch: Buffer): BatchContext => ({
  producerId: batch.readBigInt64BE(PRODUCER_AT).toString(),
  inTransaction: (batch.readInt16BE(ATTRIBUTES_AT) & IN_TRANSACTION) !== 0,
});

/** Where the batch behind it begins; undefined where the answer has none. */
const nextBatch = ({ buffer, offset }: AnswerReader): number | undefined =>
  offset + LENGTH_AT <= buffer.length ? Number(buffer.readBigInt64BE(offset)) : undefined;

/** More records than a batch has. */
const TOO_MANY = 1_000_000;

/**
 * What stands for a damaged batch. Its head may be what is damaged, and whoever read on behind a wrong place would miss records, or never find the topic's end
 * again: how many places it has is believed where two of its fields say the same, or the next batch says where it begins. Else one record stands for it, and
 * kafkajs goes through what is left a place at a time.
 */
function damaged(batch: Buffer, next: number | undefined, why: string): FetchedRecord[] {
  const [count, last] = [batch.readInt32BE(COUNT_AT), batch.readInt32BE(LAST_DELTA_AT)];
  const first = Number(batch.readBigInt64BE(0));
  const timestamp = Number(batch.readBigInt64BE(FIRST_TIMESTAMP_AT));
  const context = contextOf(batch);
  const isPlausible = (places: number): boolean => places > 0 && places <= TOO_MANY;
  const stated = count === last + 1 && (next === undefined || first + count <= next) && isPlausible(count) ? count : undefined;
  const places = stated ?? (next !== undefined && isPlausible(next - first) ? next - first : 1);
  // A compacted one has fewer records than places.
  const records = Math.min(places, isPlausible(count) ? count : places);
  return Array.from({ length: records }, (_, i) => {
    const offset = first + (i === records - 1 ? places - 1 : i);
    return new FetchedRecord(offset, timestamp, null, null, NO_HEADERS, false, context, why);
  });
}

/** Why a record could not be read; undefined where it is one. */
export function damageOf(message: KafkaMessage): string | undefined {
  const { damage } = message as { readonly damage?: string };
  return damage === undefined ? undefined : `the batch of this record is damaged: ${damage}`;
}

/** For topics of ours, which must be whole. @throws KindredError RECORD_UNREADABLE */
export function refuseDamaged(topic: string, partition: number, records: readonly KafkaMessage[]): void {
  for (const record of records) {
    const damage = damageOf(record);
    if (damage !== undefined)
      throw new KindredError("RECORD_UNREADABLE", damage, `${topic} partition ${partition} offset ${record.offset}`);
  }
}

/** A batch that says it ends behind the topic's end has a head that is not what was written: behind it nothing would ever be read. @throws KindredError RECORD_UNREADABLE */
export function refuseBeyond(topic: string, partition: number, next: number, high: number): void {
  if (next <= high) return;
  const where = `${topic} partition ${partition}`;
  throw new KindredError("RECORD_UNREADABLE", `a batch ends at ${next}, behind the topic's end, ${high}: its head is damaged`, where);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc >>> 0;
});

/** CRC-32C (Castagnoli) of the bytes from `begin` on, as batches have it. */
export function crc32c(bytes: Uint8Array, begin = 0): number {
  let crc = ~0;
  for (let i = begin; i < bytes.length; i++) crc = (CRC_TABLE[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}
