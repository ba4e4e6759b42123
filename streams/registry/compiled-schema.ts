import { isUtf8 } from "node:buffer";
import { avroValues } from "./avro-values.js";
import type { ByteReader } from "./byte-reader.js";
import { EVENT_SHAPE, ITEM_SHAPE, type RegisteredSchema, type Shape } from "./registered-schema.js";

export type ReadValue = (reader: ByteReader) => unknown;

/** How values of one schema are read. Made when the first such value comes: an events topic has no use for items. */
export interface CompiledSchema {
  /** @throws Error where the schema cannot be used, or the bytes are no value of it */
  readonly event: ReadValue;
  readonly item: ReadValue;
}

/** JSON says its fields itself, so its schema is not asked: our own checks are those that count. */
export function readJson({ bytes, position, end }: ByteReader): unknown {
  const text = bytes.subarray(position, end);
  if (!isUtf8(text)) throw new Error("not UTF-8");
  return JSON.parse(text.toString("utf8"));
}

type Compile = (schema: RegisteredSchema, shape: Shape) => ReadValue;

function lazily(compile: Compile, schema: RegisteredSchema, shape: Shape): ReadValue {
  let made: ReadValue | undefined;
  return (reader) => {
    made ??= compileOnce(compile, schema, shape);
    return made(reader);
  };
}

/** A schema that cannot be used is looked at once, not with each value. */
function compileOnce(compile: Compile, schema: RegisteredSchema, shape: Shape): ReadValue {
  try {
    return compile(schema, shape);
  } catch (cause) {
    const message = `its ${schema.type} schema cannot be used: ${(cause as Error).message}`;
    return () => {
      throw new Error(message, { cause });
    };
  }
}

async function compilerOf({ type }: RegisteredSchema): Promise<Compile> {
  if (type === "AVRO") return avroValues;
  if (type === "JSON") return () => readJson;
  // 10 MB that only producers of Protobuf ask for.
  return (await import("./protobuf-values.js")).protobufValues;
}

export async function compileSchema(schema: RegisteredSchema): Promise<CompiledSchema> {
  const compile = await compilerOf(schema);
  return { event: lazily(compile, schema, EVENT_SHAPE), item: lazily(compile, schema, ITEM_SHAPE) };
}
