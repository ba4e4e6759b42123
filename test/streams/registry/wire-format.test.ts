import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../streams/registry/byte-reader.js";
import { isSchemaId, readMessageIndexes, refuseHeader, schemaIdOf, writeHeader } from "../../../streams/registry/wire-format.js";

const hex = (text: string): Buffer => Buffer.from(text, "hex");

describe("the header", () => {
  it("is a zero byte and the id, highest byte first", () => {
    const bytes = Buffer.alloc(6, 0xee);
    writeHeader(bytes, 0, 0x01020304);
    expect(bytes.toString("hex")).toBe("0001020304ee");
    expect(schemaIdOf(bytes)).toBe(0x01020304);
    expect(schemaIdOf(hex("00ffffffff"))).toBe(2 ** 32 - 1);
  });

  it("reads what it writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (id) => {
        const bytes = Buffer.alloc(5);
        writeHeader(bytes, 0, id);
        expect(schemaIdOf(bytes)).toBe(id);
        expect(isSchemaId(id)).toBe(id >= 1 && id < 2 ** 31);
      }),
    );
  });

  it.each(["", "00", "00000000", "0100000001", "7b22757365"])("is none in %s, and it is said why", (bytes) => {
    expect(schemaIdOf(hex(bytes))).toBe(-1);
    expect(() => refuseHeader(hex(bytes))).toThrow(expect.objectContaining({ code: "RECORD_UNREADABLE" }));
  });
});

describe("message indexes", () => {
  // The bytes are those of Confluent's documentation and of the JavaScript client's SchemaId.
  it.each([
    ["00", [0]],
    ["0200", [0]],
    ["0202", [1]],
    ["040204", [1, 2]],
    ["0406a001", [3, 80]],
  ])("%s are %j", (bytes, indexes) => {
    const reader = new ByteReader(hex(bytes));
    expect(readMessageIndexes(reader)).toEqual(indexes);
    expect(reader.remaining).toBe(0);
  });

  it.each(["", "02", "01", "feffffff0f", "0402"])("%s are none", (bytes) => {
    expect(() => readMessageIndexes(new ByteReader(hex(bytes)))).toThrow();
  });
});
