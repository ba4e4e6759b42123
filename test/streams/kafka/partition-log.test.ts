import type { KafkaMessage } from "kafkajs";
import { describe, expect, it } from "vitest";
import type { Offset, Partition } from "../../../schemas/ids.js";
import type { SourceBatch } from "../../../schemas/ports/event-log.js";
import { PartitionLog } from "../../../streams/kafka/partition-log.js";

const messages = (from: number, count: number): KafkaMessage[] =>
  Array.from({ length: count }, (_, i) => ({
    offset: String(from + i),
    key: Buffer.from("u"),
    value: Buffer.from("v"),
    timestamp: "5",
  })) as unknown as KafkaMessage[];

const open = (owedMs = 20): PartitionLog =>
  new PartitionLog({ partition: 0 as Partition, from: 0 as Offset, capacity: 100, lingerMs: 0, owedMs, onRoom: () => undefined });
const read = (log: PartitionLog, after: number, maxRecords = 10): Promise<SourceBatch | null> =>
  log.read(after as Offset, { maxRecords, signal: new AbortController().signal });

describe("PartitionLog", () => {
  it("says that more follow while a whole batch is still to come, here or at the broker, and not for a few fresh ones", async () => {
    const log = open();
    log.push(messages(0, 15), 15, 40);
    expect(await read(log, 0)).toMatchObject({ endOffset: 10, more: true });
    expect(await read(log, 10)).toMatchObject({ endOffset: 15, more: true });
    log.push(messages(15, 22), 37, 40);
    expect(await read(log, 15)).toMatchObject({ endOffset: 25, more: true });
    expect(await read(log, 25)).toMatchObject({ endOffset: 35, more: false });
  });

  it("cuts and joins what was fetched, in order, each record once", async () => {
    const log = open();
    for (let at = 0; at < 60; at += 7) log.push(messages(at, Math.min(7, 60 - at)), Math.min(60, at + 7));
    log.finish();
    const offsets: number[] = [];
    for (let batch = await read(log, 0, 11); batch !== null; batch = await read(log, batch.endOffset, 11)) {
      offsets.push(...batch.records.map(({ offset }) => offset));
      expect(batch.records.at(-1)?.offset ?? batch.endOffset).toBe(batch.endOffset);
    }
    expect(offsets).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
  });

  it("keeps its word: where those that are to follow do not come, an empty batch does, once", async () => {
    const log = open();
    log.push(messages(0, 10), 10, 1_000);
    expect(await read(log, 0)).toMatchObject({ more: true });
    expect(await read(log, 10)).toEqual({ partition: 0, records: [], endOffset: 10 });
    const next = read(log, 10);
    log.push(messages(10, 1), 11);
    expect(await next).toMatchObject({ endOffset: 11, more: false });
  });

  it("keeps its word also where it ends", async () => {
    const log = open(60_000);
    log.push(messages(0, 30), 30, 1_000);
    log.finish();
    let batch = await read(log, 0, 30);
    expect(batch).toMatchObject({ endOffset: 30, more: true });
    batch = await read(log, 30);
    expect(batch).toMatchObject({ endOffset: 30, records: [] });
    expect(await read(log, 30)).toBeNull();
  });
});
