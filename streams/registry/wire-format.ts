import { KindredError } from "../../schemas/errors.js";
import type { ByteReader } from "./byte-reader.js";

/**
 * Confluent's wire format: a zero byte, the schema's id in four bytes, the payload. A Protobuf payload says first which message
 * of its schema it is, by indexes from the outermost to the nested one.
 */
export const HEADER_BYTES = 5;

/** A number that no registry gives a schema: ids are positive 32-bit integers. */
export const isSchemaId = (id: number): boolean => id > 0 && id <= 0x7fffffff;

/** The schema's id; -1 where the bytes do not begin as the wire format does. */
export function schemaIdOf(value: Uint8Array): number {
  if (value.length < HEADER_BYTES || value[0] !== 0) return -1;
  return (value[1] as number) * 2 ** 24 + (((value[2] as number) << 16) | ((value[3] as number) << 8) | (value[4] as number));
}

/** @throws KindredError RECORD_UNREADABLE saying what is wrong with the beginning of `value`, where schemaIdOf gives -1 */
export function refuseHeader(value: Uint8Array): never {
  const message =
    value.length < HEADER_BYTES
      ? `${value.length} bytes are too few: a zero byte and a schema's id come first`
      : `the first byte is ${value[0]}, not the 0 that comes before a schema's id`;
  throw new KindredError("RECORD_UNREADABLE", message);
}

/** Writes what comes before a payload of schema `id`. */
export function writeHeader(bytes: Buffer, position: number, id: number): void {
  bytes[position] = 0;
  bytes.writeUInt32BE(id, position + 1);
}

/** Deeper nested messages than this are nobody's. */
const MOST_INDEXES = 64;

/** Reads which message of its schema a Protobuf payload is: `[0]`, the first one, is a single zero. @throws Error */
export function readMessageIndexes(reader: ByteReader): readonly number[] {
  const count = reader.zigzag();
  if (count === 0) return FIRST_MESSAGE;
  if (count < 0 || count > MOST_INDEXES) throw new Error(`${count} message indexes`);
  return Array.from({ length: count }, () => reader.zigzag());
}

const FIRST_MESSAGE: readonly number[] = [0];
