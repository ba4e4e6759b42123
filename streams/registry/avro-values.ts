import avsc from "avsc";
import type { ByteReader } from "./byte-reader.js";
import { type Fields, project, type RegisteredSchema, type Shape, UNFIT } from "./registered-schema.js";

/** The part of avsc's types that we use; its own declarations lack most of it. */
interface AvroNode {
  readonly typeName: string;
  readonly fields: readonly { readonly name: string; readonly type: AvroNode }[];
  readonly symbols: readonly string[];
  readonly types: readonly AvroNode[];
  readonly itemsType: AvroNode;
  readonly valuesType: AvroNode;
  readonly underlyingType: AvroNode;
  readonly size: number;
}

type Read = (reader: ByteReader) => unknown;
type Skip = (reader: ByteReader) => void;

/** How many of a logical type's units make a millisecond. Others are what lies under them: timestamp-millis is a long. */
const UNITS_PER_MS: Readonly<Record<string, number>> = {
  "logical:timestamp-micros": 1e3,
  "logical:local-timestamp-micros": 1e3,
  "logical:timestamp-nanos": 1e6,
  "logical:local-timestamp-nanos": 1e6,
};
const logicalTypes = Object.fromEntries(
  Object.keys(UNITS_PER_MS).map((name) => [name.slice("logical:".length), class extends avsc.types.LogicalType {}]),
);

// A writer's defaults are never used, and other libraries are laxer about them than avsc.
const withoutDefaults = (schema: string): avsc.Schema => JSON.parse(schema, (key, value) => (key === "default" ? undefined : value));

function parse({ schema, references }: RegisteredSchema): AvroNode {
  const options = { logicalTypes, registry: {} };
  for (const reference of references) avsc.Type.forSchema(withoutDefaults(reference.schema), options as never);
  return avsc.Type.forSchema(withoutDefaults(schema), options as never) as unknown as AvroNode;
}

/** Goes through an array's or map's items. A negative count has the size of its block behind it. @throws Error for a count that cannot be */
function eachItem(reader: ByteReader, item: Skip): void {
  for (let count = reader.zigzag(); count !== 0; count = reader.zigzag()) {
    if (count < 0) reader.zigzag();
    const items = Math.abs(count);
    // Items of no bytes at all could be any number: nobody sends such a thing but to keep us busy.
    if (items > reader.remaining) throw new Error(`${items} items in ${reader.remaining} bytes`);
    for (let i = 0; i < items; i++) item(reader);
  }
}

/** Compiles a writer's schema. Skipping is by closures too: reading what nobody wants could fail, on a long beyond 2^53 say. */
class AvroCompiler {
  // A record may contain itself: who asks a second time gets what is being made.
  readonly #skips = new Map<AvroNode, Skip>();

  record(node: AvroNode, shape: Shape): (reader: ByteReader) => unknown {
    if (node.typeName.startsWith("union:")) {
      const branches = node.types.map((type) => this.record(type, shape));
      return (reader) => pick(branches, reader)(reader);
    }
    if (node.typeName !== "record") return this.read(node);
    const ours = project(
      shape,
      node.fields.map(({ name }) => name),
    );
    const steps = node.fields.map(({ name, type }) => {
      const field = ours.get(name);
      return field === undefined ? this.skip(type) : setter(field, this.read(type));
    });
    const blank = Object.fromEntries(shape.fields.map(({ name }) => [name, undefined]));
    return (reader) => {
      const fields: Fields = { ...blank };
      for (const step of steps) step(reader, fields);
      return fields;
    };
  }

  read(node: AvroNode): Read {
    const units = UNITS_PER_MS[node.typeName];
    if (units !== undefined) return (reader) => Math.floor(reader.zigzag() / units);
    switch (node.typeName) {
      case "null":
        return () => null;
      case "boolean":
        return (reader) => reader.byte() !== 0;
      case "int":
      case "long":
        return (reader) => reader.zigzag();
      case "float":
        return (reader) => reader.float();
      case "double":
        return (reader) => reader.double();
      case "string":
        return (reader) => reader.string(reader.zigzag());
      case "enum":
        return (reader) => pick(node.symbols, reader);
      case "union:wrapped":
      case "union:unwrapped": {
        const branches = node.types.map((type) => this.read(type));
        return (reader) => pick(branches, reader)(reader);
      }
      case "array":
        return this.#array(this.read(node.itemsType));
      default: {
        const skip = this.skip(node);
        return (reader) => {
          skip(reader);
          return UNFIT;
        };
      }
    }
  }

  #array(item: Read): Read {
    return (reader) => {
      const items: unknown[] = [];
      eachItem(reader, () => void items.push(item(reader)));
      return items;
    };
  }

  skip(node: AvroNode): Skip {
    const known = this.#skips.get(node);
    if (known !== undefined) return known;
    let made: Skip | undefined;
    this.#skips.set(node, (reader) => made?.(reader));
    made = this.#makeSkip(node);
    return made;
  }

  #makeSkip(node: AvroNode): Skip {
    switch (node.typeName) {
      case "string":
      case "bytes":
        return (reader) => void reader.take(reader.zigzag());
      case "fixed":
        return (reader) => void reader.take(node.size);
      case "map": {
        const value = this.skip(node.valuesType);
        return (reader) =>
          eachItem(reader, () => {
            reader.take(reader.zigzag());
            value(reader);
          });
      }
      case "array": {
        const item = this.skip(node.itemsType);
        return (reader) => eachItem(reader, item);
      }
      case "record": {
        const steps = node.fields.map(({ type }) => this.skip(type));
        return (reader) => {
          for (const step of steps) step(reader);
        };
      }
      case "union:wrapped":
      case "union:unwrapped": {
        const branches = node.types.map((type) => this.skip(type));
        return (reader) => pick(branches, reader)(reader);
      }
      default:
        return this.read(node);
    }
  }
}

function pick<T>(choices: readonly T[], reader: ByteReader): T {
  const choice = choices[reader.zigzag()];
  if (choice === undefined) throw new Error("a branch or symbol that its schema does not have");
  return choice;
}

const setter =
  (field: string, read: Read) =>
  (reader: ByteReader, fields: Fields): void => {
    fields[field] = read(reader);
  };

/** How values of an Avro schema are read and projected. @throws Error where the schema is none */
export function avroValues(schema: RegisteredSchema, shape: Shape): (reader: ByteReader) => unknown {
  const record = new AvroCompiler().record(parse(schema), shape);
  return (reader) => {
    const fields = record(reader);
    if (reader.remaining > 0) throw new Error(`${reader.remaining} bytes after the value`);
    return fields;
  };
}
