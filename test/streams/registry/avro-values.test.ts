import avsc from "avsc";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BEHAVIOUR_EVENT_AVRO } from "../../../schemas/avro.js";
import { avroValues } from "../../../streams/registry/avro-values.js";
import { ByteReader } from "../../../streams/registry/byte-reader.js";
import {
  EVENT_SHAPE,
  type Fields,
  ITEM_SHAPE,
  type RegisteredSchema,
  type Shape,
  shapeOf,
  UNFIT,
} from "../../../streams/registry/registered-schema.js";

const avro = (fields: readonly object[], name = "E"): object => ({ type: "record", name, fields });
const field = (name: string, type: unknown, more: object = {}): object => ({ name, type, ...more });

interface Written {
  read(bytes?: Buffer): Fields;
  readonly bytes: Buffer;
}

/** A value as avsc writes it by `schema`, and as we read it. */
function write(schema: unknown, value: unknown, shape: Shape = EVENT_SHAPE, references: RegisteredSchema["references"] = []): Written {
  const registry = {};
  for (const reference of references) avsc.Type.forSchema(JSON.parse(reference.schema), { registry });
  const bytes = avsc.Type.forSchema(structuredClone(schema) as avsc.Schema, { registry }).toBuffer(value);
  const read = avroValues({ type: "AVRO", schema: JSON.stringify(schema), references }, shape);
  return { bytes, read: (given = bytes) => read(new ByteReader(given)) as Fields };
}

const MINIMAL = [field("user", "string"), field("item", "string"), field("action", "string"), field("ts", "long")];
const GOOD = { user: "u", item: "i", action: "play", ts: 7 };

describe("values of an Avro schema", () => {
  it("are what our own schema says", () => {
    const event = { ...GOOD, id: "x", type: null, scene: "music", value: 1.5 };
    expect(write(BEHAVIOUR_EVENT_AVRO, event).read()).toEqual(event);
  });

  it("lack what an old producer does not send", () => {
    expect(write(avro(MINIMAL), GOOD).read()).toEqual(GOOD);
  });

  it("read an enum's symbol, and unwrap unions in any order", () => {
    const action = { type: "enum", name: "A", symbols: ["click", "play"] };
    const schema = avro([field("id", ["string", "null"]), ...MINIMAL.slice(0, 2), field("action", ["null", action]), field("ts", "long")]);
    expect(write(schema, { ...GOOD, id: "x" }).read()).toEqual({ ...GOOD, id: "x" });
    expect(write(schema, { ...GOOD, id: null, action: null }).read()).toEqual({ ...GOOD, id: null, action: null });
  });

  it.each([
    ["long", undefined, 1_764_000_000_123, 1_764_000_000_123],
    ["long", "timestamp-millis", 1_764_000_000_123, 1_764_000_000_123],
    ["long", "timestamp-micros", 1_764_000_000_123_999, 1_764_000_000_123],
    ["long", "local-timestamp-micros", 1_764_000_000_123_999, 1_764_000_000_123],
    ["double", undefined, 1.5, 1.5],
    ["string", undefined, "2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"],
  ])("take a time of %s %s as what it is", (type, logicalType, sent, read) => {
    const ts = logicalType === undefined ? type : { type, logicalType };
    expect(write(avro([...MINIMAL.slice(0, 3), field("ts", ts)]), { ...GOOD, ts: sent }).read().ts).toBe(read);
    expect(write(avro([...MINIMAL.slice(0, 3), field("ts", ["null", ts])]), { ...GOOD, ts: sent }).read().ts).toBe(read);
  });

  it("divide nanoseconds, which no double holds", () => {
    const schema = avro([field("ts", { type: "long", logicalType: "timestamp-nanos" })]);
    const read = avroValues({ type: "AVRO", schema: JSON.stringify(schema), references: [] }, EVENT_SHAPE);
    // 1764000000123456789 as a zigzag varint.
    let [n, bytes] = [1_764_000_000_123_456_789n * 2n, [] as number[]];
    for (; n > 127n; n >>= 7n) bytes = [...bytes, Number(n & 127n) | 128];
    expect((read(new ByteReader(Buffer.from([...bytes, Number(n)]))) as Fields).ts).toBe(1_764_000_000_123);
  });

  it("skip whatever else a new producer sends, of every kind, a long that no double holds among it", () => {
    const everything = [
      field("a", "bytes"),
      field("b", { type: "fixed", name: "F", size: 3 }),
      field("c", { type: "map", values: { type: "array", items: "string" } }),
      field("d", { type: "array", items: ["null", "double", "float", "boolean", "int"] }),
      field("e", avro([field("next", ["null", "Link"]), field("s", "string")], "Link")),
      field("f", { type: "enum", name: "G", symbols: ["X", "Y"] }),
    ];
    const value = {
      a: Buffer.from("abc"),
      b: Buffer.from("xyz"),
      c: { k: ["v", "w"], l: [] },
      d: [null, { double: 1.5 }, { boolean: true }, { float: 0.5 }, { int: -3 }],
      e: { next: { next: null, s: "in" }, s: "out" },
      f: "Y",
    };
    const { bytes, read } = write(avro([...everything, ...MINIMAL]), { ...value, ...GOOD });
    expect(read()).toEqual(GOOD);
    const huge = avroValues({ type: "AVRO", schema: JSON.stringify(avro([field("n", "long"), ...MINIMAL])), references: [] }, EVENT_SHAPE);
    const tail = bytes.subarray(bytes.length - write(avro(MINIMAL), GOOD).bytes.length);
    expect(huge(new ByteReader(Buffer.concat([Buffer.from("feffffffffffffffff01", "hex"), tail])))).toEqual(GOOD);
  });

  it("read lists in blocks with and without their size", () => {
    const schema = avro([field("item", "string"), field("tags", { type: "array", items: "string" })], "I");
    const read = avroValues({ type: "AVRO", schema: JSON.stringify(schema), references: [] }, ITEM_SHAPE);
    // One block of 1 with its size (2 bytes), one of 2 without.
    const bytes = Buffer.from("0278" + "01040261" + "0402620263" + "00", "hex");
    expect(read(new ByteReader(bytes))).toMatchObject({ item: "x", tags: ["a", "b", "c"] });
  });

  it("find a field under another name, but its own goes first", () => {
    const shape = shapeOf({ fields: [{ name: "user", aliases: ["uid", "userId"] }, { name: "item" }] });
    expect(write(avro([field("userId", "string"), field("item", "string")]), { userId: "u", item: "i" }, shape).read()).toEqual({
      user: "u",
      item: "i",
    });
    expect(write(avro([field("uid", "string"), field("user", "string")]), { uid: "no", user: "yes" }, shape).read().user).toBe("yes");
  });

  it("use types of schemas that theirs refers to", () => {
    const action = JSON.stringify({ type: "enum", name: "Action", namespace: "shared", symbols: ["play"] });
    const schema = avro([...MINIMAL.slice(0, 2), field("action", "shared.Action"), field("ts", "long")]);
    expect(write(schema, GOOD, EVENT_SHAPE, [{ name: "shared.Action", schema: action }]).read()).toEqual(GOOD);
  });

  it("come from a union of records as from a record", () => {
    const other = avro([field("x", "int")], "Other");
    const { read } = write([other, avro(MINIMAL)], { E: GOOD });
    expect(read()).toEqual(GOOD);
  });

  it("are unfit where a field is of a kind that none of ours is", () => {
    const schema = avro([...MINIMAL, field("value", { type: "bytes", logicalType: "decimal", precision: 4, scale: 2 })]);
    expect(write(schema, { ...GOOD, value: Buffer.from([1]) }).read().value).toBe(UNFIT);
  });

  it("are refused with bytes behind them, a symbol or branch that is not there, or a count that cannot be", () => {
    const { bytes, read } = write(avro(MINIMAL), GOOD);
    expect(() => read(Buffer.concat([bytes, Buffer.alloc(1)]))).toThrow("1 bytes after");
    const odd = avro([field("id", ["null", "string"]), field("list", { type: "array", items: "null" })]);
    const readOdd = avroValues({ type: "AVRO", schema: JSON.stringify(odd), references: [] }, EVENT_SHAPE);
    expect(() => readOdd(new ByteReader(Buffer.from("0400", "hex")))).toThrow("branch");
    // Half a million million nulls in no bytes.
    expect(() => readOdd(new ByteReader(Buffer.from("0080808080808020", "hex")))).toThrow("items");
    const endless = avro([field("me", "Me")], "Me");
    const readEndless = avroValues({ type: "AVRO", schema: JSON.stringify(endless), references: [] }, EVENT_SHAPE);
    expect(() => readEndless(new ByteReader(Buffer.alloc(0)))).toThrow(RangeError);
  });

  it("cut short anywhere are an error, never another value", () => {
    const text = fc.string({ unit: "binary", maxLength: 20 });
    const optional = fc.option(text, { nil: null });
    const event = fc.record({
      user: text,
      item: text,
      action: text,
      ts: fc.nat(2 ** 45),
      id: optional,
      type: optional,
      scene: optional,
      value: fc.option(fc.double({ noNaN: true }), { nil: null }),
    });
    fc.assert(
      fc.property(event, (value) => {
        const { bytes, read } = write(BEHAVIOUR_EVENT_AVRO, value);
        expect(read()).toEqual({ ...value, user: value.user.toWellFormed(), item: value.item.toWellFormed() });
        for (let length = 0; length < bytes.length; length++) expect(() => read(bytes.subarray(0, length))).toThrow();
      }),
    );
  });
});
