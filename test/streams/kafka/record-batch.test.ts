import { createRequire } from "node:module";
import * as fc from "fast-check";
import type { KafkaMessage } from "kafkajs";
import { describe, expect, it } from "vitest";
import { type AnswerReader, crc32c, damageOf, readRecordBatch } from "../../../streams/kafka/record-batch.js";

/** What kafkajs writes batches with, and the base of its readers. */
const require = createRequire(import.meta.url);
const { RecordBatch } = require("kafkajs/src/protocol/recordBatch/v0") as { RecordBatch: (fields: object) => Promise<{ buffer: Buffer }> };
const Record = require("kafkajs/src/protocol/recordBatch/record/v0") as (fields: object) => object;

interface Written {
  readonly offsetDelta: number;
  readonly timestampDelta: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Record<string, string | string[]>;
}

const batchOf = async (records: readonly Written[], more: object = {}): Promise<Buffer> => {
  const { buffer } = await RecordBatch({
    firstTimestamp: 1_700_000_000_000,
    maxTimestamp: 1_700_000_900_000,
    producerId: 4_000_000_000_123,
    records: records.map((fields) => Record(fields)),
    ...more,
  });
  // Its offset is the broker's to say, as is the record's that ends it.
  buffer.writeBigInt64BE(5_000_000_000n, 0);
  return buffer;
};

const refuse = (): Promise<Buffer> => Promise.reject(new Error("nothing is compressed here"));
const read = async (bytes: Buffer, offset = 0) => {
  const answer: AnswerReader = { buffer: bytes, offset };
  const { records } = await readRecordBatch(answer, refuse);
  return { records, offset: answer.offset };
};

const bytes = fc.option(
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
  { nil: null },
);
const name = fc.string({ minLength: 1, maxLength: 9 });
const written: fc.Arbitrary<Written> = fc.record({
  offsetDelta: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  timestampDelta: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  key: bytes,
  value: bytes,
  headers: fc.dictionary(name, fc.oneof(fc.string(), fc.array(fc.string(), { minLength: 2, maxLength: 3 })), { noNullPrototype: true }),
});

describe("readRecordBatch", () => {
  it("gives what was written, wherever in the answer the batch lies", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(written, { minLength: 1, maxLength: 8 }), fc.nat(40), async (all, before) => {
        const batch = await batchOf(all);
        const answer = await read(Buffer.concat([Buffer.alloc(before, 7), batch, Buffer.alloc(9)]), before);
        // kafkajs writes how many records there are for the last place, which these need not have.
        const [offset, records] = [answer.offset, answer.records.filter(({ isControlRecord }) => !isControlRecord)];
        expect(offset).toBe(before + batch.length);
        expect(
          records.map((record) => ({
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: Object.fromEntries(
              Object.entries(record.headers).map(([key, value]) => [key, Array.isArray(value) ? value.map(String) : String(value)]),
            ),
          })),
        ).toEqual(
          all.map(({ offsetDelta, timestampDelta, key, value, headers }) => ({
            offset: 5_000_000_000 + offsetDelta,
            timestamp: 1_700_000_000_000 + timestampDelta,
            key,
            value,
            headers,
          })),
        );
      }),
    );
  });

  it("says of each record what kafkajs asks: whose transaction it is in, and whether it ends one", async () => {
    const one = { offsetDelta: 0, timestampDelta: 5, key: null, value: Buffer.from("v"), headers: {} };
    const { records } = await read(await batchOf([one], { transactional: true }));
    expect(records).toMatchObject([{ isControlRecord: false, batchContext: { producerId: "4000000000123", inTransaction: true } }]);
    const marker = await batchOf([one]);
    marker.writeInt16BE(0x20 | 0x08, 21);
    marker.writeUInt32BE(crc32c(marker, 21), 17);
    expect((await read(marker)).records).toMatchObject([
      // Where the broker gives the time, it is the batch's, whatever its records say.
      { isControlRecord: true, timestamp: 1_700_000_900_000, batchContext: { inTransaction: false } },
    ]);
  });

  it("has a record that nobody is shown at the end of a compacted batch, also where nothing else is left of it", async () => {
    const batch = await batchOf([{ offsetDelta: 2, timestampDelta: 0, key: null, value: Buffer.from("v"), headers: {} }]);
    const compacted = (bytes: Buffer, count: number): Buffer => {
      bytes.writeInt32BE(9, 23);
      bytes.writeInt32BE(count, 57);
      bytes.writeInt32BE(bytes.length - 12, 8);
      bytes.writeUInt32BE(crc32c(bytes, 21), 17);
      return bytes;
    };
    const places = async (bytes: Buffer) =>
      (await read(bytes)).records.map(({ offset, isControlRecord }) => [offset - 5_000_000_000, isControlRecord]);
    expect(await places(compacted(Buffer.from(batch), 1))).toEqual([
      [2, false],
      [9, true],
    ]);
    expect(await places(compacted(Buffer.from(batch.subarray(0, 61)), 0))).toEqual([[9, true]]);
  });

  it("takes an answer that ends within a batch for what kafkajs calls it, and stays where it was", async () => {
    const batch = await batchOf([{ offsetDelta: 0, timestampDelta: 0, key: null, value: Buffer.alloc(200), headers: {} }]);
    const answer = { buffer: batch.subarray(0, batch.length - 1), offset: 0 };
    await expect(readRecordBatch(answer, refuse)).rejects.toMatchObject({ name: "KafkaJSPartialMessageError" });
    expect(answer.offset).toBe(0);
  });

  it("gives a record that says so for each of a batch in which any bit behind its checksum is another", async () => {
    const all = [3, 4, 9].map((offsetDelta) => ({
      offsetDelta,
      timestampDelta: 0,
      key: Buffer.from("user"),
      value: Buffer.from("value"),
      headers: { kind: "erase" },
    }));
    const batch = await batchOf(all);
    batch.writeInt32BE(9, 23);
    batch.writeUInt32BE(crc32c(batch, 21), 17);
    expect((await read(batch)).records.map((record) => damageOf(record as unknown as KafkaMessage))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const next = Buffer.from(batch);
    next.writeBigInt64BE(5_000_000_010n, 0);
    for (const behind of [Buffer.alloc(0), next])
      for (let bit = 8 * 21; bit < 8 * batch.length; bit++) {
        const bad = Buffer.concat([batch, behind]);
        const at = bit >> 3;
        bad.writeUInt8(bad.readUInt8(at) ^ (1 << (bit & 7)), at);
        const { records, offset } = await read(bad);
        expect(offset).toBe(batch.length);
        expect(records.length).toBeGreaterThan(0);
        expect(records[0]?.offset).toBeGreaterThanOrEqual(5_000_000_000);
        // Never behind what was written: what is read on from there would be missed. To its very end where the next batch says where it begins.
        const last = records.at(-1)?.offset ?? 0;
        if (behind.length > 0) expect(last).toBe(5_000_000_009);
        else expect(last).toBeLessThanOrEqual(5_000_000_009);
        for (const record of records) {
          expect(damageOf(record as unknown as KafkaMessage)).toContain("checksum");
          expect([record.key, record.value]).toEqual([null, null]);
        }
      }
  });

  it("believes a damaged head's number of records where its last place says the same", async () => {
    const all = Array.from({ length: 7 }, (_, i) => ({
      offsetDelta: i,
      timestampDelta: 0,
      key: null,
      value: Buffer.from("v"),
      headers: {},
    }));
    const batch = await batchOf(all);
    batch.writeInt32BE(6, 23);
    batch.writeUInt8(batch.readUInt8(70) ^ 1, 70);
    expect((await read(batch)).records.map(({ offset }) => offset - 5_000_000_000)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("does the same where the checksum holds and the records are none, or their codec cannot read them", async () => {
    const batch = await batchOf([{ offsetDelta: 0, timestampDelta: 0, key: null, value: Buffer.from("v"), headers: {} }]);
    const sealed = (change: (bytes: Buffer) => void): Buffer => {
      const bad = Buffer.from(batch);
      change(bad);
      bad.writeUInt32BE(crc32c(bad, 21), 17);
      return bad;
    };
    const why = async (bad: Buffer) => (await read(bad)).records.map((record) => damageOf(record as unknown as KafkaMessage));
    expect(await why(sealed((bad) => bad.writeInt32BE(2, 57)))).toEqual([expect.stringContaining("cut short")]);
    expect(await why(sealed((bad) => bad.writeUInt8(bad.readUInt8(61) + 2, 61)))).toEqual([
      expect.stringContaining("not as long as it says"),
    ]);
    expect(await why(sealed((bad) => bad.writeInt16BE(2, 21)))).toEqual([expect.stringContaining("nothing is compressed here")]);
  });

  it("checks by the checksum of RFC 3720", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  });
});
