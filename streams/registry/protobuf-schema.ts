import protobuf from "protobufjs";
import descriptor from "protobufjs/ext/descriptor/index.js";
import type { RegisteredSchema } from "./registered-schema.js";

/** The part of a decoded FileDescriptorProto that we use. */
interface FileDescriptor {
  readonly package?: string;
  readonly syntax?: string;
  readonly edition?: number;
  readonly messageType?: readonly protobuf.Message[];
  readonly enumType?: readonly protobuf.Message[];
}
/** What protobufjs' types are made of descriptors with; its declarations of this lack the edition. */
interface FromDescriptor<T> {
  fromDescriptor(of: protobuf.Message, edition: string): T;
}

const EDITION_2023 = 1000;

// Text has at least a space, a brace or a semicolon.
const isBase64 = (schema: string): boolean => /^[A-Za-z0-9+/]+={0,2}$/.test(schema);

/** @returns the namespace that the file declares its messages in */
function addText(root: protobuf.Root, schema: string): protobuf.NamespaceBase {
  const { package: name } = protobuf.parse(schema, root, { keepCase: true });
  return name === undefined ? root : root.define(name);
}

function addDescriptor(root: protobuf.Root, schema: string): protobuf.NamespaceBase {
  const file = descriptor.FileDescriptorProto.decode(Buffer.from(schema, "base64")) as unknown as FileDescriptor;
  const edition = file.edition === EDITION_2023 ? "2023" : file.syntax === "proto3" ? "proto3" : "proto2";
  const namespace = file.package ? root.define(file.package) : root;
  const types = protobuf.Type as unknown as FromDescriptor<protobuf.Type>;
  const enums = protobuf.Enum as unknown as FromDescriptor<protobuf.Enum>;
  for (const message of file.messageType ?? []) namespace.add(types.fromDescriptor(message, edition));
  for (const one of file.enumType ?? []) namespace.add(enums.fromDescriptor(one, edition));
  return namespace;
}

const messagesIn = (namespace: protobuf.NamespaceBase): protobuf.Type[] =>
  namespace.nestedArray.filter((nested): nested is protobuf.Type => nested instanceof protobuf.Type);

/** A Protobuf file whose messages are found as the wire format names them: by their order, the outermost first. */
export class ProtobufSchema {
  readonly #messages: readonly protobuf.Type[];

  /** @throws Error where the schema, or one it refers to, is none */
  constructor({ schema, references }: RegisteredSchema) {
    const root = new protobuf.Root();
    const add = (text: string): protobuf.NamespaceBase => (isBase64(text) ? addDescriptor(root, text) : addText(root, text));
    // Messages are counted in this file alone: those that others put into the same package come after.
    this.#messages = messagesIn(add(schema));
    for (const reference of references) add(reference.schema);
    try {
      root.resolveAll();
    } catch {
      // A type of a file that is not at hand, such as google.protobuf.Timestamp. Which fields know their absence was settled before;
      // types are looked up only for the fields we want, and those of Google's that these may have are known by name.
    }
  }

  /** @throws Error where there is no such message */
  message(indexes: readonly number[]): protobuf.Type {
    const [first = 0, ...inner] = indexes;
    let message = this.#messages[first];
    for (const index of inner) message = message && messagesIn(message)[index];
    if (message === undefined) throw new Error(`a message ${indexes.join(".")} that its schema does not have`);
    return message;
  }
}

/** The enum that a field is of; undefined where it is of none that is at hand. */
export function enumOf(field: protobuf.Field): protobuf.Enum | undefined {
  const found = field.parent?.lookup(field.type, [protobuf.Enum]);
  return found instanceof protobuf.Enum ? found : undefined;
}
