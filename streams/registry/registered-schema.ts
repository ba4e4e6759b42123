import { BEHAVIOUR_EVENT_AVRO, ITEM_INFO_AVRO } from "../../schemas/avro.js";

export const SCHEMA_TYPES = ["AVRO", "JSON", "PROTOBUF"] as const;
export type SchemaType = (typeof SCHEMA_TYPES)[number];

/** A schema as the registry has it: what a producer wrote by. */
export interface RegisteredSchema {
  readonly type: SchemaType;
  /** JSON for Avro and JSON Schema; for Protobuf its text, or a base64 FileDescriptorProto, as the JavaScript client registers it. */
  readonly schema: string;
  /** Schemas that it refers to, what they refer to in turn before them. */
  readonly references: readonly { readonly name: string; readonly schema: string }[];
}

/** The fields that a value is projected on, by name; another name of a field (an alias of our Avro schema) counts where it lacks. */
export interface Shape {
  readonly fields: readonly { readonly name: string; readonly aliases: readonly string[] }[];
}

/** A decoded value, not checked yet: absent fields are undefined. */
export type Fields = Record<string, unknown>;

interface AvroRecord {
  readonly fields: readonly { readonly name: string; readonly aliases?: readonly string[] }[];
}

export const shapeOf = ({ fields }: AvroRecord): Shape => ({ fields: fields.map(({ name, aliases = [] }) => ({ name, aliases })) });
export const EVENT_SHAPE = shapeOf(BEHAVIOUR_EVENT_AVRO);
export const ITEM_SHAPE = shapeOf(ITEM_INFO_AVRO);

/** For each of the producer's fields, which of ours it is. A field of the very name goes before one of another name. */
export function project(shape: Shape, theirs: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { name, aliases } of shape.fields) {
    const their = [name, ...aliases].find((candidate) => theirs.includes(candidate));
    if (their !== undefined) found.set(their, name);
  }
  return found;
}

/** What stands for a value of a kind that none of our fields takes: the checks refuse it, where absence might pass. */
export const UNFIT: object = Object.freeze({});
