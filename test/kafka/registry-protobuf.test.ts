import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create, createFileRegistry, createMutableRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { ProtobufSerializer, SchemaRegistryClient, SerdeType, SubjectNameStrategyType } from "@confluentinc/schemaregistry";
import protobuf from "protobufjs";
import "protobufjs/ext/descriptor/index.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EventCodec, registryCodec } from "../../streams/registry/event-codec.js";
import { ask, newTopic, registryUrl } from "./registry-fixtures.js";

const ever = new AbortController().signal;
const LATEST = Date.UTC(2030, 0, 1);
const OURS = readFileSync(join(import.meta.dirname, "../../schemas/behaviour-event.proto"), "utf8");
const EVENT = { user: "u", item: "song:1", action: "play", ts: 1_764_000_000_000, scene: "music", value: 2.5 };
const OPTIONAL = ["id", "type", "scene", "value"];
const READ = { ...EVENT, type: "song" };

function descriptorOf(schema: string): Uint8Array {
  const root = protobuf.parse(schema, new protobuf.Root(), { keepCase: true }).root;
  root.resolveAll();
  const set = (root as unknown as { toDescriptor(syntax: string): { file: protobuf.Message[] } }).toDescriptor("proto3");
  const file = set.file[0] as protobuf.Message;
  return file.$type.encode(file).finish();
}

describe("Protobuf by a real schema registry", () => {
  let codec: EventCodec;
  beforeAll(() => {
    codec = registryCodec({ url: registryUrl(), log: { warn: () => undefined } });
  });
  afterAll(() => codec.close());

  it("is read where the registry's own serialiser wrote it", async () => {
    const file = fromBinary(FileDescriptorProtoSchema, descriptorOf(OURS));
    // protobufjs forgets to say so of optional fields, which are in a oneof each.
    for (const field of file.messageType[0]?.field ?? []) if (OPTIONAL.includes(field.name)) field.proto3Optional = true;
    const files = createFileRegistry(file, () => undefined);
    const message = files.getMessage("kindred.BehaviourEvent");
    if (message === undefined) throw new Error("no such message");
    const client = new SchemaRegistryClient({ baseURLs: [registryUrl()] });
    const conf = {
      subjectNameStrategyType: SubjectNameStrategyType.TOPIC,
      autoRegisterSchemas: true,
      registry: createMutableRegistry(message),
    };
    const serializer = new ProtobufSerializer(client, SerdeType.VALUE, conf);
    const value = await serializer.serialize(newTopic(), create(message, { ...EVENT, ts: BigInt(EVENT.ts) }));
    await codec.ready([value], ever);
    expect(codec.event(value, LATEST)).toEqual(READ);
    client.close();
  });

  it("is read where the schema was registered as text, as everything but the JavaScript client does", async () => {
    const { id } = await ask<{ id: number }>("POST", `/subjects/${newTopic()}-value/versions`, { schema: OURS, schemaType: "PROTOBUF" });
    const type = protobuf.parse(OURS, new protobuf.Root()).root.lookupType("kindred.BehaviourEvent");
    const value = Buffer.concat([Buffer.from([0, id >>> 24, id >>> 16, id >>> 8, id, 0]), type.encode(EVENT).finish()]);
    await codec.ready([value], ever);
    expect(codec.event(value, LATEST)).toEqual(READ);
    // Neither an id nor a message's number is enough of an event.
    for (const length of [5, 6])
      expect(() => codec.event(value.subarray(0, length), LATEST)).toThrow(
        expect.objectContaining({ code: length === 5 ? "RECORD_UNREADABLE" : "EVENT_USER" }),
      );
  });
});
