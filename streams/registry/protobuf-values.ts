import type { Enum, Field, Type } from "protobufjs";
import { ByteReader } from "./byte-reader.js";
import { enumOf, ProtobufSchema } from "./protobuf-schema.js";
import { type Fields, project, type RegisteredSchema, type Shape, UNFIT } from "./registered-schema.js";
import { readMessageIndexes } from "./wire-format.js";

const WIRE = { varint: 0, fixed64: 1, length: 2, groupBegin: 3, groupEnd: 4, fixed32: 5 } as const;
/** Groups within groups that are skipped. */
const MOST_GROUPS = 64;

type Read = (reader: ByteReader) => unknown;
interface Kind {
  readonly wire: number;
  readonly read: Read;
}
interface Plan {
  /** By tag (number and wire type): what is sent in another wire type is another field, as everywhere in Protobuf. */
  readonly steps: ReadonlyMap<number, (reader: ByteReader, fields: Fields) => void>;
  /** What a message that says nothing of a field means by it. */
  readonly absent: Fields;
}

const SCALARS: Readonly<Record<string, Kind>> = {
  string: { wire: WIRE.length, read: (reader) => reader.string(reader.varint()) },
  bool: { wire: WIRE.varint, read: (reader) => reader.varint() !== 0 },
  int32: { wire: WIRE.varint, read: (reader) => reader.signedVarint() },
  int64: { wire: WIRE.varint, read: (reader) => reader.signedVarint() },
  uint32: { wire: WIRE.varint, read: (reader) => reader.varint() },
  uint64: { wire: WIRE.varint, read: (reader) => reader.varint() },
  sint32: { wire: WIRE.varint, read: (reader) => reader.zigzag() },
  sint64: { wire: WIRE.varint, read: (reader) => reader.zigzag() },
  fixed32: { wire: WIRE.fixed32, read: (reader) => reader.fixed32() },
  sfixed32: { wire: WIRE.fixed32, read: (reader) => reader.fixed32() | 0 },
  float: { wire: WIRE.fixed32, read: (reader) => reader.float() },
  fixed64: { wire: WIRE.fixed64, read: (reader) => reader.fixed64(false) },
  sfixed64: { wire: WIRE.fixed64, read: (reader) => reader.fixed64(true) },
  double: { wire: WIRE.fixed64, read: (reader) => reader.double() },
};

const OF_ENUM = (symbols: Enum): Kind => ({
  wire: WIRE.varint,
  // A number without a symbol stays one, and the check of the field says so.
  read: (reader) => {
    const number = reader.signedVarint();
    return symbols.valuesById[number] ?? number;
  },
});

/** A message within the message, read by `step` for each of its fields, then made a value by `finish`. */
function nested(steps: Plan["steps"], finish: (fields: Fields) => unknown): Kind {
  return {
    wire: WIRE.length,
    read: (reader) => {
      const length = reader.varint();
      const begin = reader.take(length);
      const inner = new ByteReader(reader.bytes, begin + length);
      inner.position = begin;
      const fields: Fields = {};
      readFields(inner, steps, fields);
      return finish(fields);
    },
  };
}

const step =
  (name: string, read: Read) =>
  (reader: ByteReader, fields: Fields): void => {
    fields[name] = read(reader);
  };
const packed =
  (append: (reader: ByteReader, fields: Fields) => void) =>
  (reader: ByteReader, fields: Fields): void => {
    const length = reader.varint();
    const begin = reader.take(length);
    const inner = new ByteReader(reader.bytes, begin + length);
    inner.position = begin;
    while (inner.remaining > 0) append(inner, fields);
  };
const tagOf = (id: number, wire: number): number => id * 8 + wire;
const plainSteps = (kinds: readonly (readonly [name: string, id: number, kind: Kind])[]): Plan["steps"] =>
  new Map(kinds.map(([name, id, { wire, read }]) => [tagOf(id, wire), step(name, read)]));

const scalar = (name: string): Kind => SCALARS[name] as Kind;
const wrapper = (type: string, absent: unknown): Kind => nested(plainSteps([["value", 1, scalar(type)]]), ({ value = absent }) => value);

/** Google's own messages that stand for a value: what producers in Java and C# know as a nullable field. */
const WELL_KNOWN: Readonly<Record<string, Kind>> = {
  "google.protobuf.Timestamp": nested(
    plainSteps([
      ["seconds", 1, scalar("int64")],
      ["nanos", 2, scalar("int32")],
    ]),
    ({ seconds = 0, nanos = 0 }) => (seconds as number) * 1_000 + Math.floor((nanos as number) / 1e6),
  ),
  "google.protobuf.StringValue": wrapper("string", ""),
  "google.protobuf.DoubleValue": wrapper("double", 0),
  "google.protobuf.FloatValue": wrapper("float", 0),
  "google.protobuf.Int32Value": wrapper("int32", 0),
  "google.protobuf.UInt32Value": wrapper("uint32", 0),
  "google.protobuf.Int64Value": wrapper("int64", 0),
  "google.protobuf.UInt64Value": wrapper("uint64", 0),
};

const ANY_MESSAGE: Kind = {
  wire: WIRE.length,
  read: (reader) => {
    reader.take(reader.varint());
    return UNFIT;
  },
};

/** What is written of a field of this type; a message, bytes, a map or whatever else is UNFIT. */
function kindOf(field: Field): Kind {
  const symbols = SCALARS[field.type] === undefined ? enumOf(field) : undefined;
  if (symbols !== undefined) return OF_ENUM(symbols);
  return SCALARS[field.type] ?? WELL_KNOWN[field.type.replace(/^\./, "")] ?? ANY_MESSAGE;
}

/** What the field is when nothing is sent: a default of its own, or the first symbol, which proto3 never writes. */
function absentValue(field: Field): unknown {
  const own = field.options?.["default"];
  if (own !== undefined) return own;
  return field.hasPresence || field.repeated ? undefined : enumOf(field)?.valuesById[0];
}

function compile(message: Type, shape: Shape): Plan {
  const ours = project(
    shape,
    message.fieldsArray.map(({ name }) => name),
  );
  const steps = new Map<number, (reader: ByteReader, fields: Fields) => void>();
  const absent: Fields = Object.fromEntries(shape.fields.map(({ name }) => [name, undefined]));
  for (const field of message.fieldsArray) {
    const name = ours.get(field.name);
    if (name === undefined) continue;
    const { wire, read } = field.map ? ANY_MESSAGE : kindOf(field);
    const append = (reader: ByteReader, fields: Fields): void => {
      if (Array.isArray(fields[name])) fields[name].push(read(reader));
      else fields[name] = [read(reader)];
    };
    steps.set(tagOf(field.id, wire), field.repeated ? append : step(name, read));
    // Numbers that are repeated come in one piece or one by one, as the writer likes.
    if (field.repeated && wire !== WIRE.length) steps.set(tagOf(field.id, WIRE.length), packed(append));
    absent[name] = absentValue(field);
  }
  return { steps, absent };
}

function readFields(reader: ByteReader, steps: Plan["steps"], fields: Fields): void {
  while (reader.remaining > 0) {
    const tag = reader.varint();
    const known = steps.get(tag);
    if (known !== undefined) known(reader, fields);
    else skip(reader, tag, 0);
  }
}

function skip(reader: ByteReader, tag: number, depth: number): void {
  const wire = tag % 8;
  if (tag < 8 || depth > MOST_GROUPS) throw new Error("a field without a number, or groups too deep");
  if (wire === WIRE.varint) reader.varint();
  else if (wire === WIRE.fixed64) reader.take(8);
  else if (wire === WIRE.length) reader.take(reader.varint());
  else if (wire === WIRE.fixed32) reader.take(4);
  else if (wire === WIRE.groupBegin) {
    for (let inner = reader.varint(); inner !== tag + 1; inner = reader.varint()) skip(reader, inner, depth + 1);
  } else throw new Error(`a field of wire type ${wire}`);
}

/** How values of a Protobuf schema are read and projected. @throws Error where the schema is none */
export function protobufValues(registered: RegisteredSchema, shape: Shape): (reader: ByteReader) => unknown {
  const schema = new ProtobufSchema(registered);
  const plans = new Map<string, Plan>();
  const planOf = (indexes: readonly number[]): Plan => {
    const key = indexes.join(".");
    const plan = plans.get(key) ?? compile(schema.message(indexes), shape);
    plans.set(key, plan);
    return plan;
  };
  return (reader) => {
    const { steps, absent } = planOf(readMessageIndexes(reader));
    const fields: Fields = { ...absent };
    readFields(reader, steps, fields);
    return fields;
  };
}
