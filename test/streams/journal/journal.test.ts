import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Offset, UserId } from "../../../schemas/ids.js";
import type { StoreWrite } from "../../../schemas/ports/key-value-store.js";
import { Journal } from "../../../streams/journal/journal.js";
import { META, numberKey, numberValue } from "../../../streams/journal/journal-keys.js";
import type { JournalOptions } from "../../../streams/journal/journal-options.js";
import { decodeRecord } from "../../../streams/record-codec.js";
import { MemoryStore } from "../../harness/memory-store.js";
import { NodeCipher } from "../../harness/node-cipher.js";
import { itemsOf, readAll, record, records } from "../journal-fixtures.js";

/** A store whose writes can be held back or made to fail. */
class TroubledStore extends MemoryStore {
  failing = false;
  batches = 0;
  hold: Promise<void> = Promise.resolve();

  override async batch(writes: readonly StoreWrite[]): Promise<void> {
    await this.hold;
    if (this.failing) throw new Error("no space left on the disk");
    this.batches++;
    await super.batch(writes);
  }
}

const open = async (options: JournalOptions = {}): Promise<{ store: TroubledStore; journal: Journal }> => {
  const store = new TroubledStore();
  return { store, journal: await Journal.open(store, new NodeCipher(), options) };
};

const reopen = (store: MemoryStore, options: JournalOptions = {}): Promise<Journal> =>
  Journal.open(store.reopen(), new NodeCipher(), options);

describe("Journal", () => {
  it("gives offsets from 1, and the same events back after it was opened again", async () => {
    const { store, journal } = await open();
    expect(await journal.append(records(3))).toBe(3);
    expect(await journal.append(records(2, 7, 3))).toBe(5);
    const live = await readAll(journal.reader());
    await journal.close();
    const again = await reopen(store);
    expect(again.endOffset).toBe(5);
    const stored = await readAll(again.reader());
    expect(stored.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5]);
    expect(stored.map(({ bytes }) => decodeRecord(bytes as Uint8Array))).toEqual(records(5));
    expect(live.map(({ bytes, acceptedAt, offset }) => [Buffer.from(bytes as Uint8Array), acceptedAt, offset])).toEqual(
      stored.map(({ bytes, acceptedAt, offset }) => [Buffer.from(bytes as Uint8Array), acceptedAt, offset]),
    );
  });

  it("reads the same from any position with any batch size, from memory and from the store", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 50 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom(0, 2000, 1 << 20),
        async (appends, maxRecords, where, recentBytes) => {
          const { store, journal } = await open({ recentBytes });
          let count = 0;
          for (const size of appends) {
            await journal.append(records(size, 7, count));
            count += size;
          }
          const after = Math.floor(where * count);
          const expected = Array.from({ length: count - after }, (_, i) => `song:${after + i}`);
          expect(itemsOf(await readAll(journal.reader(), after, maxRecords))).toEqual(expected);
          await journal.close();
          const again = await reopen(store);
          expect(itemsOf(await readAll(again.reader(), after, maxRecords))).toEqual(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("gathers appends that arrive while a write is in flight, and numbers them without a gap", async () => {
    const { store, journal } = await open();
    let release = (): void => {};
    store.hold = new Promise((resolve) => {
      release = resolve;
    });
    const before = store.batches;
    const appends = Array.from({ length: 50 }, (_, i) => journal.append(records(3, 7, i * 3)));
    await new Promise((resolve) => setImmediate(resolve));
    appends.push(...Array.from({ length: 50 }, (_, i) => journal.append(records(3, 7, (50 + i) * 3))));
    expect(journal.endOffset).toBe(0);
    release();
    expect(await Promise.all(appends)).toEqual(Array.from({ length: 100 }, (_, i) => (i + 1) * 3));
    expect(store.batches - before).toBe(2);
    expect(itemsOf(await readAll(journal.reader()))).toEqual(Array.from({ length: 300 }, (_, i) => `song:${i}`));
  });

  it("acknowledges nothing that a failed write held, refuses what follows, and goes on when opened again", async () => {
    const { store, journal } = await open();
    await journal.append(records(4));
    store.failing = true;
    expect(journal.failed.aborted).toBe(false);
    await expect(journal.append(records(2, 7, 4))).rejects.toMatchObject({ code: "STORAGE_FAILED", canRetry: true });
    expect(journal.failed.reason).toMatchObject({ code: "STORAGE_FAILED" });
    store.failing = false;
    await expect(journal.append(records(2, 7, 4))).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    expect(itemsOf(await readAll(journal.reader()))).toHaveLength(4);
    const again = await reopen(store);
    expect(await again.append(records(2, 7, 4))).toBe(6);
    expect(itemsOf(await readAll(again.reader()))).toEqual(records(6).map((_, i) => `song:${i}`));
  });

  it("tells producers to wait when too much waits to be applied, and takes nothing of it", async () => {
    const { journal } = await open({ maxLagEvents: 10 });
    journal.setApplied(0 as Offset);
    await journal.append(records(10));
    await expect(journal.append(records(1))).rejects.toMatchObject({ code: "OVERLOADED", status: 503, retryAfterSeconds: 1 });
    expect(journal.endOffset).toBe(10);
    const waiting = journal.whenLagBelow(5);
    journal.setApplied(8 as Offset);
    await waiting;
    expect(await journal.append(records(1))).toBe(11);
  });

  it("refuses what does not fit in the queue before the disk", async () => {
    const { store, journal } = await open({ maxPendingRecords: 5 });
    let release = (): void => {};
    store.hold = new Promise((resolve) => {
      release = resolve;
    });
    const first = journal.append(records(5));
    await expect(journal.append(records(1))).rejects.toMatchObject({ code: "OVERLOADED" });
    release();
    expect(await first).toBe(5);
    expect(await journal.append(records(1))).toBe(6);
  });

  it("makes what an erased user did unreadable, keeps the erasure readable, and gives a new key to who comes back", async () => {
    const { store, journal } = await open();
    await journal.append([record("ann", "song:1"), record("bob", "song:2"), record("ann", "song:3")]);
    await readAll(journal.reader());
    expect(await journal.erase("ann" as UserId, 1_800_000_000_000)).toEqual({ offset: 4, keyDropped: true });
    await journal.append([record("ann", "song:5")]);
    expect(itemsOf(await readAll(journal.reader()))).toEqual(["erased", "song:2", "erased", "erase", "song:5"]);
    await journal.close();
    const again = await reopen(store);
    const read = await readAll(again.reader());
    expect(itemsOf(read)).toEqual(["erased", "song:2", "erased", "erase", "song:5"]);
    expect(decodeRecord(read[3]?.bytes as Uint8Array)).toEqual({ kind: "erase", user: "ann", at: 1_800_000_000_000 });
    expect(await again.erase("nobody" as UserId, 1)).toMatchObject({ keyDropped: false });
  });

  it("erases within one group commit what was appended before, and not what was appended after", async () => {
    const { store, journal } = await open();
    await Promise.all([
      journal.append([record("ann", "song:1")]),
      journal.erase("ann" as UserId, 5),
      journal.append([record("ann", "song:2")]),
    ]);
    expect(itemsOf(await readAll(journal.reader()))).toEqual(["erased", "erase", "song:2"]);
    const again = await reopen(store);
    expect(itemsOf(await readAll(again.reader()))).toEqual(["erased", "erase", "song:2"]);
  });

  it("cuts whole blocks by retention, and refuses to read what is gone", async () => {
    const { store, journal } = await open({ now: () => 1000 });
    for (let i = 0; i < 5; i++) await journal.append(records(10, 7, i * 10));
    expect(await journal.cutBefore(26 as Offset)).toBe(21);
    expect(journal.firstOffset).toBe(21);
    await expect(readAll(journal.reader(), 10)).rejects.toMatchObject({ code: "POSITION_EXPIRED", status: 410 });
    await journal.close();
    const again = await reopen(store);
    expect(again.firstOffset).toBe(21);
    expect(await store.get(numberKey("r", 11))).toBeUndefined();
    expect(itemsOf(await readAll(again.reader(), 20))[0]).toBe("song:20");
    expect(await again.cutBefore(1000 as Offset)).toBe(51);
    expect(await again.append(records(1))).toBe(51);
  });

  it("finds the first record accepted from a time on", async () => {
    let now = 0;
    const { journal } = await open({ now: () => now });
    for (let i = 0; i < 9; i++) {
      now = 100 * i;
      await journal.append(records(1 + (i % 3)));
    }
    const read = await readAll(journal.reader());
    for (const time of [0, 50, 100, 350, 400, 799, 800, 801])
      expect(await journal.firstAcceptedFrom(time)).toBe(
        read.find(({ acceptedAt }) => acceptedAt >= time)?.offset ?? journal.endOffset + 1,
      );
  });

  it("waits for new records without a time, for a time, and until it is told to stop or closed", async () => {
    const { journal } = await open();
    const reader = journal.reader();
    const signal = new AbortController().signal;
    const waiting = reader.read(0 as Offset, { maxRecords: 10, signal });
    await journal.append(records(2));
    expect((await waiting)?.records).toHaveLength(2);
    expect(await reader.read(2 as Offset, { maxRecords: 10, signal, waitMs: 5 })).toEqual({ partition: 0, records: [], endOffset: 2 });
    const abort = new AbortController();
    const aborted = reader.read(2 as Offset, { maxRecords: 10, signal: abort.signal });
    abort.abort();
    expect(await aborted).toBeNull();
    const closing = reader.read(2 as Offset, { maxRecords: 10, signal });
    await journal.close();
    expect(await closing).toBeNull();
    await expect(journal.append(records(1))).rejects.toMatchObject({ code: "NOT_READY" });
  });

  it("cuts large appends into blocks of a bounded size", async () => {
    const { store, journal } = await open({ recentBytes: 0 });
    await journal.append(records(9000, 3));
    const keys: number[] = [];
    for await (const [key, value] of store.iterate({ gte: Buffer.from("r"), lt: Buffer.from("s") })) {
      keys.push(key[7] as number);
      expect(value.length).toBeLessThanOrEqual(1 << 20);
    }
    expect(keys).toHaveLength(3);
    expect(itemsOf(await readAll(journal.reader(), 0, 4096))).toEqual(records(9000).map((_, i) => `song:${i}`));
  });

  it("refuses a directory of a newer version by name", async () => {
    const { store, journal } = await open();
    await journal.close();
    await store.reopen().batch([{ type: "put", key: META.format, value: numberValue(2) }]);
    await expect(reopen(store)).rejects.toMatchObject({ code: "DIRECTORY_NEWER" });
  });

  it("keeps the newest side information of each item", async () => {
    const { store, journal } = await open();
    await journal.items.put([{ item: "song:1" as never, type: "song", title: "Old" }]);
    await journal.items.put([
      { item: "song:1" as never, type: "song", title: "New", tags: ["a"] },
      { item: "song:2" as never, type: "song" },
    ]);
    await journal.close();
    const again = await reopen(store);
    const kept = [];
    for await (const info of again.items.all()) kept.push(info);
    expect(kept).toEqual([
      { item: "song:1", type: "song", title: "New", tags: ["a"] },
      { item: "song:2", type: "song" },
    ]);
  });
});

describe("a damaged journal", () => {
  const damaged = async (change: (block: Uint8Array) => Uint8Array | undefined): Promise<Journal> => {
    const { store, journal } = await open();
    for (let i = 0; i < 3; i++) await journal.append(records(10, 7, i * 10));
    await journal.close();
    const key = numberKey("r", 11);
    const changed = change((await store.reopen().get(key)) as Uint8Array);
    await store.batch([changed === undefined ? { type: "del", key } : { type: "put", key, value: changed }]);
    return reopen(store);
  };
  const expected = [
    ...Array.from({ length: 10 }, (_, i) => `song:${i}`),
    "damaged",
    ...Array.from({ length: 10 }, (_, i) => `song:${20 + i}`),
  ];

  it.each([
    ["flipped bytes", (block: Uint8Array) => block.map((byte, i) => (i === block.length - 3 ? byte ^ 1 : byte))],
    ["a cut block", (block: Uint8Array) => block.subarray(0, 100)],
    ["an empty block", () => new Uint8Array()],
    ["a missing block", () => undefined],
  ])("reports %s with its offsets and loses nothing else", async (_, change) => {
    const journal = await damaged(change);
    for (const [after, max] of [
      [0, 1000],
      [0, 1],
      [14, 1000],
    ] as const) {
      const read = await readAll(journal.reader(), after, max);
      expect(itemsOf(read)).toEqual(after === 0 ? expected : expected.slice(10));
      expect(read.find(({ damage }) => damage !== undefined)).toMatchObject({ offset: after === 0 ? 11 : 15, damage: { through: 20 } });
    }
  });

  it("reports a record whose seal does not fit, and only that one", async () => {
    const { crc32 } = await import("node:zlib");
    const journal = await damaged((block) => {
      const changed = Buffer.from(block);
      changed[changed.length - 3] = (changed[changed.length - 3] as number) ^ 1;
      changed.writeUInt32LE(crc32(changed.subarray(8)), 4);
      return changed;
    });
    const read = await readAll(journal.reader());
    expect(read).toHaveLength(30);
    expect(read.filter(({ damage }) => damage !== undefined).map(({ offset }) => offset)).toEqual([20]);
  });

  it("says that its end was lost, and then numbers new records after what the state has seen", async () => {
    const { journal } = await open();
    await journal.append(records(5));
    await expect(readAll(journal.reader(), 9)).rejects.toMatchObject({ code: "JOURNAL_CORRUPT" });
    expect(await journal.resumeAfter(9 as Offset)).toBe(4);
    expect(await journal.append(records(1, 7, 90))).toBe(10);
    expect(itemsOf(await readAll(journal.reader(), 9))).toEqual(["song:90"]);
    const all = await readAll(journal.reader());
    expect(itemsOf(all)).toEqual(["song:0", "song:1", "song:2", "song:3", "song:4", "damaged", "song:90"]);
  });
});
