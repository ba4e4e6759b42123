import { crc32 } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_GENERATIONS, Row } from "../../schemas/row.js";

const LAYOUT = { generations: [{ generation: 7, dims: 2 }], ringCapacity: 2 };

function small(): Row {
  const row = Row.create(LAYOUT);
  row.catalogue = 3;
  row.activation = 4;
  row.events = 5;
  row.erasureEpoch = 1;
  row.erasedAt = 1000;
  row.landmark = 20;
  row.updatedAt = 2 ** 40;
  row.offset = 77;
  row.totalWeight = 3072;
  row.setFingerprint(true, 0x01020304, 0x05060708);
  row.u32.set([1, 2, 3, 4], row.hashWord);
  row.f64[row.accumulatorsAt] = -1;
  row.f64[row.accumulatorsAt + 63] = 2;
  row.f64.set([8, -8], row.sumsAt[0]);
  for (const [hi, lo] of [
    [1, 2],
    [3, 4],
    [5, 6],
  ] as const)
    row.ringAdd(hi, lo);
  row.insertEntry(0, 9, -1024, 1000);
  row.insertEntry(0, 8, 2048, 2000);
  return row;
}

const f64 = (value: number): string => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes.toString("hex");
};

describe("Row", () => {
  it("has this very layout", () => {
    const expected = [
      "4b010100",
      "03000000",
      "05000000",
      "01000000",
      f64(20),
      f64(2 ** 40),
      f64(77),
      f64(3072),
      "04030201",
      "08070605",
      "02000000",
      "02000000",
      "01000000",
      "02000000",
      "01000000",
      "04000000",
      f64(1000),
      "0000000000000000",
      "01000000",
      "02000000",
      "03000000",
      "04000000",
      f64(-1),
      f64(0).repeat(62),
      f64(2),
      "07000000",
      "02000000",
      f64(8),
      f64(-8),
      "05000000",
      "06000000",
      "03000000",
      "04000000",
      "08000000",
      "00080000",
      f64(2000),
      "09000000",
      "00fcffff",
      f64(1000),
    ].join("");
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32LE(crc32(Buffer.from(expected, "hex")));
    expect(Buffer.from(small().encode()).toString("hex")).toBe(expected + checksum.toString("hex"));
  });

  it("is 3,964 bytes long at the defaults with a full profile", () => {
    const row = Row.create({ generations: [{ generation: 0, dims: 128 }], ringCapacity: 32 });
    for (let i = 0; i < 128; i++) row.insertEntry(i, i, 1, 1);
    expect(row.encode().length).toBe(3964);
  });

  it("decodes what it encodes, as a copy", () => {
    const bytes = small().encode();
    const row = Row.decode(bytes);
    bytes.fill(0);
    expect(row.encode()).toEqual(small().encode());
    expect([row.entryItem(0), row.entryWeight(1), row.entryTs(1), row.fingerprintHi, row.hasFingerprint]).toEqual([
      8,
      -1024,
      1000,
      0x01020304,
      true,
    ]);
    expect([row.ringHas(1, 2), row.ringHas(3, 4), row.ringHas(5, 6)]).toEqual([false, true, true]);
  });

  it("refuses a later version by name, and what is not a row", () => {
    const newer = small().encode();
    newer[1] = 2;
    expect(() => Row.decode(newer, "user u")).toThrow(expect.objectContaining({ code: "DIRECTORY_NEWER", where: "user u" }));
    const bytes = small().encode();
    for (const damaged of [
      bytes.slice(0, 10),
      bytes.slice(0, -1),
      new Uint8Array([...bytes, 0]),
      bytes.map((b, i) => (i === 0 ? 0 : b)),
      bytes.map((b, i) => (i === 1 ? 0 : b)),
      bytes.map((b, i) => (i === bytes.length - 20 ? b ^ 1 : b)),
    ])
      expect(() => Row.decode(damaged)).toThrow(expect.objectContaining({ code: "STATE_CORRUPT" }));
  });

  it("gives a row or one of two codes for any bytes cut and flipped, and never reads beyond them", () => {
    const bytes = small().encode();
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 4 }), fc.nat(bytes.length), (flips, length) => {
        const damaged = bytes.slice(0, length);
        for (const [at, value] of flips) if (at < length) damaged[at] = value;
        try {
          const row = Row.decode(damaged);
          expect(row.encode()).toEqual(damaged);
        } catch (error) {
          expect(["STATE_CORRUPT", "DIRECTORY_NEWER"]).toContain((error as { code: string }).code);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("keeps its entries as an array would, through growth", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("insert" as const), at: fc.nat(), item: fc.nat(1e6) }),
      fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }),
      fc.record({ kind: fc.constant("move" as const), at: fc.nat(), to: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const row = Row.create(LAYOUT);
        const model: number[] = [];
        for (const one of steps) {
          if (one.kind === "insert") {
            const at = one.at % (model.length + 1);
            model.splice(at, 0, one.item);
            row.insertEntry(at, one.item, -one.item, one.item * 2);
          } else if (model.length > 0) {
            const at = one.at % model.length;
            const [item] = model.splice(at, 1) as [number];
            if (one.kind === "remove") row.removeEntry(at);
            else {
              const to = one.to % (model.length + 1);
              model.splice(to, 0, item);
              row.moveEntry(at, to);
            }
          }
        }
        expect(Array.from({ length: row.entryCount }, (_, i) => [row.entryItem(i), row.entryWeight(i), row.entryTs(i)])).toEqual(
          model.map((item) => [item, -item | 0, item * 2]),
        );
        if (model.length > 0) expect(row.findEntry(model.at(-1) as number)).toBe(model.indexOf(model.at(-1) as number));
        expect(row.findEntry(2e6)).toBe(-1);
      }),
    );
  });

  it("takes its content into another layout, with the newest of its ring", () => {
    const row = small().relaid({ generations: [{ generation: 8, dims: 3 }], ringCapacity: 1 });
    expect([row.events, row.erasedAt, row.updatedAt, row.entryCount, row.hasFingerprint, row.u32[row.hashWord + 3]]).toEqual([
      5,
      1000,
      2 ** 40,
      2,
      true,
      4,
    ]);
    expect([row.ringHas(5, 6), row.ringHas(3, 4), row.f64[row.sumsAt[0] as number]]).toEqual([true, false, 0]);
  });

  it("refuses a layout out of its bounds", () => {
    const generations = Array.from({ length: MAX_GENERATIONS + 1 }, (_, generation) => ({ generation, dims: 8 }));
    expect(() => Row.create({ generations, ringCapacity: 0 })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => Row.create({ generations: [], ringCapacity: 1025 })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
