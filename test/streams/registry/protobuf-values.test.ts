import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import protobuf from "protobufjs";
import "protobufjs/ext/descriptor/index.js";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../streams/registry/byte-reader.js";
import { protobufValues } from "../../../streams/registry/protobuf-values.js";
import {
  EVENT_SHAPE,
  type Fields,
  ITEM_SHAPE,
  type RegisteredSchema,
  type Shape,
  UNFIT,
} from "../../../streams/registry/registered-schema.js";

const ours = (name: string): string => readFileSync(join(import.meta.dirname, "../../../schemas", `${name}.proto`), "utf8");
const FIRST = Buffer.from([0]);
const WELL_KNOWN = ["google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto"];

function rootWithWellKnown(): protobuf.Root {
  const root = new protobuf.Root();
  for (const name of WELL_KNOWN) root.addJSON(protobuf.common.get(name)?.nested ?? {});
  return root;
}

/** A message as protobufjs writes it, behind its indexes. */
function encoded(schema: string, message: string, value: object, indexes = FIRST): Buffer {
  const root = rootWithWellKnown();
  const type = protobuf.parse(schema, root, { keepCase: true }).root.lookupType(message);
  return Buffer.concat([indexes, type.encode(type.fromObject(value)).finish()]);
}

function reading(schema: string, shape: Shape = EVENT_SHAPE, references: RegisteredSchema["references"] = []): (bytes: Buffer) => Fields {
  const read = protobufValues({ type: "PROTOBUF", schema, references }, shape);
  return (bytes) => read(new ByteReader(bytes)) as Fields;
}

/** As the JavaScript client registers it: the file's descriptor in base64. */
function asDescriptor(schema: string): string {
  const root = rootWithWellKnown();
  protobuf.parse(schema, root, { keepCase: true });
  root.resolveAll();
  const set = (root as unknown as { toDescriptor(syntax: string): { file: protobuf.Message[] } }).toDescriptor("proto3");
  const file = set.file.find((one) => (one as unknown as { package?: string }).package !== "google.protobuf") as protobuf.Message;
  return Buffer.from(file.$type.encode(file).finish()).toString("base64");
}

const GOOD = { user: "u", item: "i", action: "play", ts: 1_764_000_000_123 };
const text = fc.string({ minLength: 1, maxLength: 12 });
const optional = fc.option(text, { nil: undefined });

describe("values of a Protobuf schema", () => {
  it("are what protobufjs wrote by our own schema", () => {
    const event = fc.record({
      user: text,
      item: text,
      action: text,
      ts: fc.integer({ min: 1, max: 2 ** 45 }),
      id: optional,
      scene: optional,
      value: fc.option(fc.double({ min: 0, noNaN: true }), { nil: undefined }),
    });
    const schema = ours("behaviour-event");
    const read = reading(schema);
    fc.assert(
      fc.property(event, (value) => {
        expect(read(encoded(schema, "kindred.BehaviourEvent", value))).toEqual(value);
      }),
    );
  });

  it("have lists, also of items without any", () => {
    const schema = ours("item-info");
    const read = reading(schema, ITEM_SHAPE);
    const item = { item: "song:1", type: "song", title: "t", creators: ["a", "b"], tags: ["x", "y"], tagWeights: [2, 0.5] };
    expect(read(encoded(schema, "kindred.ItemInfo", item))).toEqual(item);
    expect(read(encoded(schema, "kindred.ItemInfo", { item: "song:1" }))).toEqual({ item: "song:1" });
  });

  const RICH = `syntax = "proto3"; package shop;
    import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto"; import "elsewhere/money.proto";
    message Other { string user = 1; }
    message Outer {
      message Seen {
        reserved 9;
        google.protobuf.Timestamp ts = 4;
        enum Action { PLAY = 0; LIKE = 5; }
        string user = 1; string item = 2; Action action = 3;
        google.protobuf.StringValue id = 5;
        google.protobuf.DoubleValue value = 6;
        map<string, sint32> counts = 7; repeated fixed32 numbers = 8; bytes blob = 10; float f = 11; sfixed64 l = 12;
      }
      Seen inner = 1;
    }
    message Last { string scene = 1; int32 ts = 2; string user = 3; }`;
  const plain = RICH.replace('import "elsewhere/money.proto";', "");
  const seen = { user: "u", item: "i", ts: { seconds: 1_764_000_000, nanos: 123_999_999 } };
  const inner = Buffer.from("040200", "hex");

  it.each([
    ["text", plain],
    ["a descriptor", asDescriptor(plain)],
    ["text that imports what is not at hand", RICH],
  ])("are found in a nested message, whatever else it has: %s", (_, schema) => {
    const read = reading(schema);
    const more = { counts: { a: -1 }, numbers: [1, 2], blob: Buffer.from("b"), f: 1.5, l: -7 };
    const bytes = encoded(plain, "shop.Outer.Seen", { ...seen, ...more, action: "LIKE", id: { value: "x" }, value: {} }, inner);
    expect(read(bytes)).toEqual({ user: "u", item: "i", action: "LIKE", ts: 1_764_000_000_123, id: "x", value: 0 });
    // The first symbol is never written.
    expect(read(encoded(plain, "shop.Outer.Seen", seen, inner)).action).toBe("PLAY");
    expect(read(encoded(plain, "shop.Last", { user: "l", ts: 5 }, Buffer.from("0204", "hex")))).toEqual({ user: "l", ts: 5 });
    expect(() => read(encoded(plain, "shop.Last", {}, Buffer.from("0206", "hex")))).toThrow("does not have");
  });

  it("know an enum of another file, when it is given", () => {
    const schema = 'syntax = "proto3"; package a; import "b.proto"; message E { string user = 1; b.Action action = 2; }';
    const other = {
      name: "b.proto",
      schema: 'syntax = "proto3"; package b; message First { int32 x = 1; } enum Action { NONE = 0; PLAY = 1; }',
    };
    expect(reading(schema, EVENT_SHAPE, [other])(Buffer.from("000a01751001", "hex"))).toEqual({ user: "u", action: "PLAY" });
    expect(reading(schema, EVENT_SHAPE, [other])(Buffer.from("000a01751009", "hex"))).toEqual({ user: "u", action: 9 });
  });

  it("have proto2's own defaults, and know there what was not sent", () => {
    const schema = `syntax = "proto2"; message E { required string user = 1; optional A action = 2; optional string scene = 3 [default = "music"];
      enum A { PLAY = 0; } }`;
    expect(reading(schema)(Buffer.from("000a0175", "hex"))).toEqual({ user: "u", scene: "music" });
  });

  it("are unfit where a field is of a kind that none of ours is", () => {
    const schema = 'syntax = "proto3"; message E { message M { int32 x = 1; } M user = 1; bytes item = 2; map<string, string> scene = 3; }';
    const bytes = encoded(schema, "E", { user: { x: 1 }, item: Buffer.from("i"), scene: { a: "b" } });
    expect(reading(schema)(bytes)).toEqual({ user: UNFIT, item: UNFIT, scene: UNFIT });
  });

  it("skip groups and fields of a wire type that theirs is not, and refuse what is none", () => {
    const read = reading('syntax = "proto3"; message E { string user = 1; }');
    // Group 15 with a varint in it; user as a varint; then user.
    expect(read(Buffer.from("00" + "7b08017c" + "0805" + "0a0175", "hex"))).toEqual({ user: "u" });
    for (const broken of ["00" + "7b0801", "00" + "7c", "00" + "0600", "00" + "00", "00" + "0aff01", `00${"7b".repeat(99)}`])
      expect(() => read(Buffer.from(broken, "hex"))).toThrow();
  });

  it("cut short are an error, or lack whole fields at the end: Protobuf does not say where a message ends", () => {
    const schema = ours("behaviour-event");
    const read = reading(schema);
    const value = { ...GOOD, id: "abc", scene: "music", value: 2.5 };
    const bytes = encoded(schema, "kindred.BehaviourEvent", value);
    for (let length = 0; length < bytes.length; length++) {
      let fields: Fields;
      try {
        fields = read(bytes.subarray(0, length));
      } catch {
        continue;
      }
      for (const [name, part] of Object.entries(fields)) expect([undefined, value[name as keyof typeof value]]).toContain(part);
    }
  });
});
