import avsc from "avsc";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../streams/registry/byte-reader.js";

const long = avsc.Type.forSchema("long");
const safe = fc.maxSafeInteger();
const written = (write: (writer: protobuf.Writer) => protobuf.Writer): ByteReader =>
  new ByteReader(Buffer.from(write(protobuf.Writer.create()).finish()));

describe("ByteReader", () => {
  it("reads Avro's numbers as avsc writes them", () => {
    fc.assert(
      // From 2^52 on avsc 5.7.9 itself writes another number than it was given.
      fc.property(fc.oneof(fc.integer({ min: -(2 ** 52), max: 2 ** 52 }), fc.integer({ min: -300, max: 300 })), (n) => {
        const reader = new ByteReader(long.toBuffer(n));
        expect([reader.zigzag(), reader.remaining]).toEqual([n, 0]);
      }),
    );
  });

  it("reads Protobuf's numbers as protobufjs writes them", () => {
    fc.assert(
      fc.property(safe, fc.nat(Number.MAX_SAFE_INTEGER), (n, u) => {
        expect(written((w) => w.int64(n)).signedVarint()).toBe(n);
        expect(written((w) => w.sint64(n)).zigzag()).toBe(n);
        expect(written((w) => w.uint64(u)).varint()).toBe(u);
        expect(written((w) => w.sfixed64(n)).fixed64(true)).toBe(n);
        expect(written((w) => w.fixed64(u)).fixed64(false)).toBe(u);
      }),
    );
  });

  it("keeps the sign of numbers too large to be exact", () => {
    const bytes = Buffer.from("ffffffffffffffffff01", "hex");
    expect(new ByteReader(bytes).zigzag()).toBe(-(2 ** 63));
    expect(new ByteReader(bytes).signedVarint()).toBe(-1);
  });

  it("reads text of any script, and refuses what is not UTF-8 rather than make one id of several", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const bytes = Buffer.from(text);
        expect(new ByteReader(bytes).string(bytes.length)).toBe(bytes.toString("utf8"));
      }),
    );
    for (const broken of ["ff", "c3", "eda080", "c080"]) {
      const bytes = Buffer.from(broken, "hex");
      expect(() => new ByteReader(bytes).string(bytes.length)).toThrow();
    }
  });

  it("reads nothing beyond its end, though the buffer goes on", () => {
    const buffer = Buffer.from([0x80, 0x01, 0x61, 0x62]);
    const upTo = (end: number): ByteReader => new ByteReader(buffer, end);
    expect(() => upTo(1).varint()).toThrow("cut short");
    expect(() => upTo(1).zigzag()).toThrow("cut short");
    expect(() => upTo(0).varint()).toThrow("cut short");
    expect(() => upTo(3).string(4)).toThrow("cut short");
    expect(() => upTo(3).double()).toThrow("cut short");
    expect(() => upTo(3).take(-1)).toThrow("negative");
    expect(() => upTo(3).take(Number.NaN)).toThrow();
    expect(() => new ByteReader(Buffer.alloc(11, 0xff)).varint()).toThrow("ten bytes");
  });
});
