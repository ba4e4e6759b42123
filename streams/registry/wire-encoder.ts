import avsc from "avsc";
import { HEADER_BYTES, writeHeader } from "./wire-format.js";

/** The part of avsc's Type that we use; its own declarations say `any`. */
interface AvroType {
  /** The position after the value, or minus the bytes that were missing. */
  encode(value: unknown, buffer: Buffer, position: number): number;
}

const FIRST_BYTES = 1_024;

/** @returns writes a value in the wire format, by our schema, which the registry knows as `id` */
export function wireEncoder<T>(schema: object, id: number): (value: T) => Buffer {
  const type = avsc.Type.forSchema(structuredClone(schema) as avsc.Schema) as unknown as AvroType;
  let scratch = Buffer.allocUnsafeSlow(FIRST_BYTES);
  writeHeader(scratch, 0, id);
  return (value) => {
    let end = type.encode(value, scratch, HEADER_BYTES);
    if (end < 0) {
      scratch = Buffer.allocUnsafeSlow(scratch.length - end);
      writeHeader(scratch, 0, id);
      end = type.encode(value, scratch, HEADER_BYTES);
    }
    return Buffer.from(scratch.subarray(0, end));
  };
}
