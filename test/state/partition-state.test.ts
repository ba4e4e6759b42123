import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KindredError } from "../../schemas/errors.js";
import type { Offset, UserId } from "../../schemas/ids.js";
import type { LogRecord, PositionedRecord } from "../../schemas/log-record.js";
import type { FoldedBatch } from "../../schemas/ports/folded-batch.js";
import type { StoreWrite } from "../../schemas/ports/key-value-store.js";
import { Row } from "../../schemas/row.js";
import { META_KEY } from "../../state/keys.js";
import { decodeMeta } from "../../state/partition-meta.js";
import { HashSum } from "../../state/state-hash.js";
import { MemoryChangelog } from "../harness/memory-changelog.js";
import { MemoryStore } from "../harness/memory-store.js";
import { activate, catalogueOf, erase, event, positioned, SlowStore, TestPartition } from "./fold-fixture.js";
import { aLog, CATALOGUES } from "./random-logs.js";
import { bandsOf, Readers } from "./stored-rows.js";

async function straight(log: readonly PositionedRecord[], batchSize = log.length): Promise<TestPartition> {
  const partition = await TestPartition.open(CATALOGUES);
  await partition.run(log, batchSize);
  await partition.migrate();
  return partition;
}

describe("PartitionState", () => {
  it("gives the same hash however the log is cut, restarted, crashed, cached and migrated", async () => {
    const then = fc.constantFrom("commit", "commit", "hold", "hold", "restart", "crash");
    const steps = fc.array(fc.record({ take: fc.integer({ min: 0, max: 12 }), then }), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        aLog,
        steps,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        async (log, plan, cacheRows, migrateRows) => {
          const expected = await straight(log);
          const store = new SlowStore();
          const partition = await TestPartition.open(CATALOGUES, { cacheRows, migrateRows, store });
          let written: Promise<void> = Promise.resolve();
          let folded = 0;
          const held: FoldedBatch[] = [];
          // Some batches are folded before the first is committed, and folding goes on while they are written.
          let unwritten = 0;
          const commitHeld = (): void => {
            for (const batch of held.splice(0)) {
              unwritten += 1;
              written = partition.state.commit(batch).then(() => void unwritten--);
            }
          };
          for (const { take, then } of plan) {
            if (then !== "hold" || held.length === 2) commitHeld();
            if (unwritten + held.length === 4) await written;
            if (then === "restart" || then === "crash") {
              await written;
              if (then === "crash") await partition.state.fold(log.slice(folded, folded + take), endOf(log, folded + take));
              await partition.reopen();
              folded = partition.state.appliedOffset;
              continue;
            }
            held.push(await partition.state.fold(log.slice(folded, folded + take), endOf(log, folded + take)));
            folded = Math.min(log.length, folded + take);
          }
          commitHeld();
          await written;
          await partition.run(log.slice(folded), 7);
          await partition.migrate();
          expect(partition.hash).toBe(expected.hash);
          expect(partition.state.summary()).toEqual(expected.state.summary());
          expect(await bandsOf(store)).toEqual(await bandsOf(expected.store));
          expect((await partition.state.verify()).faults).toEqual([]);
          const meta = decodeMeta((await store.get(META_KEY)) as Uint8Array);
          expect([meta.activations.length, meta.migratedTo]).toEqual([1, null]);
        },
      ),
      { numRuns: 120 },
    );
  }, 60_000);

  it("holds only what its profiles say, and hashes that add up to the stored one", async () => {
    await fc.assert(
      fc.asyncProperty(aLog, fc.integer({ min: 1, max: 40 }), async (log, batchSize) => {
        const partition = await TestPartition.open(CATALOGUES, { cacheRows: 2, migrateRows: 2 });
        await partition.run(log, batchSize);
        const report = await partition.state.verify();
        expect(report.faults).toEqual([]);
        expect(report.recomputedHash).toBe(report.storedHash);
        expect(report.storedHash).toBe(partition.hash);
        expect(report.rows).toBe(partition.state.summary().rows);
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it("adds up over partitions: each user in one of two gives the hash of all in one", async () => {
    await fc.assert(
      fc.asyncProperty(aLog, fc.integer({ min: 0, max: 31 }), async (log, mask) => {
        const whole = await straight(log);
        const isFirst = (user: string): boolean => ((mask >> Number(user.slice(1))) & 1) === 1;
        const of = (first: boolean): LogRecord[] =>
          log
            .map(({ record }) => record)
            .filter((record) => record.kind === "activate" || isFirst(record.kind === "event" ? record.event.user : record.user) === first);
        const parts = [await straight(positioned(of(true)), 5), await straight(positioned(of(false)), 11)];
        expect(HashSum.total(parts.map((part) => part.hash))).toBe(whole.hash);
        expect(parts.reduce((sum, part) => sum + part.state.summary().rows, 0)).toBe(whole.state.summary().rows);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it("publishes by scanning and by changes what it published when folding", async () => {
    await fc.assert(
      fc.asyncProperty(aLog, fc.integer({ min: 1, max: 40 }), fc.nat(100), async (log, batchSize, since) => {
        const partition = await TestPartition.open(CATALOGUES, { cacheRows: 3, migrateRows: 2 });
        const model = new Readers();
        const old = new Readers();
        const at = Math.min(since, log.length);
        const fold = async (records: readonly PositionedRecord[], into: Readers[]): Promise<void> => {
          const batch = await partition.state.fold(records, (records.at(-1)?.offset ?? partition.state.appliedOffset) as Offset);
          await partition.state.commit(batch);
          for (const one of into) one.take(batch);
        };
        for (let i = 0; i < at; i += batchSize) await fold(log.slice(i, Math.min(at, i + batchSize)), [model, old]);
        for (let i = at; i < log.length; i += batchSize) await fold(log.slice(i, i + batchSize), [model]);
        while (partition.state.migrating) await fold([], [model]);
        expect((await Readers.of(partition.state.scanRows(2))).sorted).toEqual(model.sorted);
        const changes = partition.state.changedSince(at as Offset, 2);
        if (changes === undefined) throw new Error("nothing was trimmed");
        for await (const batch of changes) old.take(batch);
        expect(old.sorted).toEqual(model.sorted);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it("counts duplicates, events from before an erasure and records it has already applied", async () => {
    const partition = await TestPartition.open(CATALOGUES);
    const log = positioned([
      activate(1),
      event("u", "a", 10, { id: "x" }),
      event("u", "b", 11, { id: "x" }),
      erase("u", 12),
      event("u", "a", 12),
      event("u", "a", 13, { id: "x" }),
      event("v", "a", 1),
    ]);
    const first = await partition.state.fold(log, 7 as Offset);
    expect(first.counts).toEqual({ folded: 3, duplicates: 1, erased: 1, skipped: 0 });
    await partition.state.commit(first);
    const again = await partition.state.fold(log, 7 as Offset);
    expect(again.counts).toEqual({ folded: 0, duplicates: 0, erased: 0, skipped: 7 });
    expect(again.rows).toEqual([]);
    expect(partition.state.summary()).toMatchObject({ rows: 2, catalogue: 1, migrating: false });
    expect(await partition.state.profile("u" as UserId)).toMatchObject({ events: 1, items: [{ item: "a", weight: 3 }] });
  });

  it("leaves no row, band or id of an erased user, and drops replayed events after a restart", async () => {
    const store = new MemoryStore();
    const partition = await TestPartition.open(CATALOGUES, { store });
    await partition.run(positioned([activate(1), event("somebody", "a", 10), event("somebody", "b", 10), erase("somebody", 20)]));
    await partition.state.snapshot(4 as Offset);
    expect(partition.state.summary()).toMatchObject({ rows: 0, hash: "0".repeat(32) });
    const holding: string[] = [];
    for await (const [key, value] of store.iterate({}))
      if (Buffer.concat([key, value]).includes("somebody")) holding.push(Buffer.from(key).toString("latin1", 0, 1));
    // The change record of the erasure itself remains until the next shard set: readers have to hear of it.
    expect(holding).toEqual(["c"]);
    await partition.reopen();
    const batch = await partition.state.fold([{ offset: 5 as Offset, record: event("somebody", "a", 20) }], 5 as Offset);
    expect(batch.counts.erased).toBe(1);
    expect(batch.rows).toEqual([]);
    expect(await partition.state.profile("somebody" as UserId)).toBeUndefined();
  });

  it("lists a user under erased who acts again within the batch, and anew among the rows", async () => {
    const partition = await TestPartition.open(CATALOGUES);
    await partition.run(positioned([activate(1), event("u", "a", 10), event("v", "a", 10)]));
    const records = [erase("u", 12), event("u", "b", 13), event("v", "b", 13)].map((record, i) => ({ offset: (4 + i) as Offset, record }));
    const batch = await partition.state.fold(records, 6 as Offset);
    expect(batch.erased).toEqual(["u"]);
    expect(batch.rows.map(({ user, items }) => [user, items.length])).toEqual([
      ["u", 1],
      ["v", 2],
    ]);
  });

  it("reads a sound row while its migration ends beside the reading", async () => {
    class HeldStore extends MemoryStore {
      held: Promise<void> | undefined;
      override async get(key: Uint8Array): Promise<Uint8Array | undefined> {
        const value = await super.get(key);
        await this.held;
        return value;
      }
    }
    const store = new HeldStore();
    const partition = await TestPartition.open(CATALOGUES, { store, cacheRows: 1 });
    await partition.run(positioned([activate(1), event("u", "a", 10), event("v", "a", 10), event("w", "a", 10), activate(2)]), 1);
    // Between fold and commit the store has rows of the first activation still, which no fold needs any more.
    const read = async (): Promise<unknown> => (await partition.state.profile("u" as UserId))?.items;
    let letGo = (): void => undefined;
    store.held = new Promise((resolve) => {
      letGo = resolve;
    });
    const during = read();
    store.held = undefined;
    while (partition.state.migrating) {
      const folded = await partition.state.fold([], partition.state.appliedOffset);
      expect((await partition.state.verify()).faults).toEqual([]);
      await partition.state.commit(folded);
    }
    letGo();
    expect(await during).toEqual(await read());
  });

  it("takes a row through every activation in turn, whether it is migrated between them or after", async () => {
    const catalogues = [catalogueOf(1, { profileItems: 16 }), catalogueOf(2, { profileItems: 8 }), catalogueOf(3, { profileItems: 16 })];
    const events = Array.from({ length: 12 }, (_, i) => event("u", `i${i}`, i));
    const log = positioned([activate(1), ...events, activate(2), activate(3), activate(1)]);
    const hashes: string[] = [];
    for (const batchSize of [1, log.length]) {
      const partition = await TestPartition.open(catalogues);
      await partition.run(log, batchSize);
      await partition.migrate();
      expect((await partition.state.profile("u" as UserId))?.items.length).toBe(8);
      hashes.push(partition.hash);
    }
    expect(hashes[0]).toBe(hashes[1]);
  });

  it("migrates a row whose next event is a duplicate", async () => {
    const partition = await TestPartition.open(CATALOGUES, { migrateRows: 1 });
    const log = positioned([
      activate(1),
      event("a", "i", 1),
      event("u", "i", 1, { id: "x" }),
      activate(2),
      event("u", "i", 1, { id: "x" }),
    ]);
    await partition.run(log.slice(0, 3));
    await partition.run(log.slice(3), 1);
    await partition.migrate();
    await partition.reopen();
    expect(await partition.state.verify()).toMatchObject({ rows: 2, faultCount: 0, recomputedHash: partition.hash });
    expect((await partition.state.profile("u" as UserId))?.catalogue).toBe(2);
  });

  it("finds a row that does not say what its profile says, and a sum that does not add up", async () => {
    const store = new MemoryStore();
    const partition = await TestPartition.open(CATALOGUES, { store });
    await partition.run(positioned([activate(1), event("u", "a", 1), event("v", "b", 1)]));
    const key = Buffer.from("ru");
    const bytes = (await store.get(key)) as Uint8Array;
    const row = Row.decode(bytes);
    row.f64[row.accumulatorsAt + 5] = 1;
    row.f64[row.sumsAt[0] as number] = 17;
    await store.batch([{ type: "put", key, value: row.encode() }]);
    expect((await partition.state.verify()).faults).toEqual([
      { user: "u", field: "accumulators" },
      { user: "u", field: "sums of generation 0" },
    ]);
    row.setEntry(0, row.entryItem(0), 5, row.entryTs(0));
    await store.batch([
      { type: "put", key, value: row.encode() },
      { type: "del", key: Buffer.from("rv") },
    ]);
    const report = await partition.state.verify();
    expect(report.recomputedHash).not.toBe(report.storedHash);
    expect(report.faults.map(({ field }) => field)).toEqual(expect.arrayContaining(["totalWeight", "hash", "rows"]));
    await store.batch([{ type: "put", key, value: bytes.slice(0, -3) }]);
    expect((await partition.state.verify()).faults).toContainEqual({ user: "u", field: "row" });
  });

  it("cannot fold before a catalogue is active, nor activate one that is not stored; nothing is lost by either", async () => {
    const partition = await TestPartition.open(CATALOGUES);
    await expect(partition.state.fold(positioned([event("u", "a", 1)]), 1 as Offset)).rejects.toMatchObject({ code: "UNKNOWN_CATALOGUE" });
    const log = positioned([activate(1), event("u", "a", 1), activate(9), event("u", "b", 1)]);
    await expect(partition.state.fold(log, 4 as Offset)).rejects.toMatchObject({ code: "UNKNOWN_CATALOGUE" });
    await partition.catalogues.put(catalogueOf(9));
    await partition.run(log);
    await partition.migrate();
    expect(partition.state.summary()).toMatchObject({ rows: 1, catalogue: 9 });
  });

  it("is of no more use after a failed commit, and right again when opened anew", async () => {
    class FailingStore extends MemoryStore {
      failing = false;
      override async batch(writes: readonly StoreWrite[]): Promise<void> {
        if (this.failing) throw new Error("no space left");
        return super.batch(writes);
      }
    }
    const store = new FailingStore();
    const log = positioned([activate(1), event("u", "a", 1), event("u", "b", 2), event("v", "c", 3)]);
    const partition = await TestPartition.open(CATALOGUES, { store });
    await partition.run(log.slice(0, 2));
    const folded = await partition.state.fold(log.slice(2), 4 as Offset);
    store.failing = true;
    await expect(partition.state.commit(folded)).rejects.toThrow("no space left");
    store.failing = false;
    await expect(partition.state.commit(folded)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await expect(partition.state.fold([], 4 as Offset)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await partition.reopen();
    expect(partition.state.appliedOffset).toBe(2);
    await partition.run(log);
    expect(partition.hash).toBe((await straight(log)).hash);
  });

  it("opens a store that an earlier version wrote with item counts, and knows from where its changes are kept", async () => {
    const { hash, pairs } = JSON.parse(await readFile(join(import.meta.dirname, "store-with-item-counts.json"), "utf8")) as {
      hash: string;
      pairs: Record<string, string>;
    };
    const store = new MemoryStore();
    await store.batch(
      Object.entries(pairs).map(([key, value]) => ({ type: "put", key: Buffer.from(key, "hex"), value: Buffer.from(value, "base64") })),
    );
    const partition = await TestPartition.open([catalogueOf(1)], { store });
    expect(partition.hash).toBe(hash);
    expect(await partition.state.verify()).toMatchObject({ rows: 2, faultCount: 0, recomputedHash: hash });
    expect(partition.state.changedSince(2 as Offset)).toBeUndefined();
    const changed = async (from: number): Promise<string[]> => {
      const users: string[] = [];
      for await (const batch of partition.state.changedSince(from as Offset) ?? [])
        users.push(...batch.rows.map((row) => row.user), ...batch.erased.map((user) => `-${user}`));
      return users.sort();
    };
    expect(await changed(3)).toEqual(["-w", "u", "v"]);
    expect(await changed(5)).toEqual(["-w", "u"]);
    await partition.run([{ offset: 8 as Offset, record: event("v", "c", 4) }]);
    await partition.state.snapshot(7 as Offset);
    await partition.reopen();
    expect(partition.state.changedSince(6 as Offset)).toBeUndefined();
    expect(await changed(7)).toEqual(["u", "v"]);
    expect((await partition.state.verify()).faults).toEqual([]);
  });

  it("stores nothing that the changelog did not take, says why, and is right again when opened anew", async () => {
    const changelog = new MemoryChangelog();
    const log = positioned([activate(1), event("u", "a", 1), event("u", "b", 2), event("v", "c", 3)]);
    const partition = await TestPartition.open(CATALOGUES, { changelog });
    await partition.run(log.slice(0, 2));
    const end = changelog.end;
    const folded = await partition.state.fold(log.slice(2, 3), 3 as Offset);
    const next = await partition.state.fold(log.slice(3), 4 as Offset);
    changelog.refusal = new KindredError("OWNERSHIP_LOST", "another has it");
    await expect(partition.state.commit(folded)).rejects.toBe(changelog.refusal);
    changelog.refusal = undefined;
    for (const late of [partition.state.commit(next), partition.state.fold([], 4 as Offset), partition.state.verify()])
      await expect(late).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
    expect(changelog.end).toBe(end);
    await partition.reopen();
    expect([partition.state.appliedOffset, partition.state.changelogNext]).toEqual([2, end]);
    await partition.run(log);
    expect(partition.hash).toBe((await straight(log)).hash);
    expect(partition.state.changelogNext).toBe(changelog.end);
  });

  it("trims changes at a snapshot and says when it cannot tell what changed", async () => {
    const partition = await TestPartition.open(CATALOGUES);
    const log = positioned([
      activate(1),
      event("u", "a", 1),
      event("v", "a", 1),
      event("v", "a", 2),
      event("v", "b", 2),
      erase("u", 3),
      event("w", "b", 3),
    ]);
    await partition.run(log.slice(0, 4), 1);
    await partition.state.snapshot(4 as Offset);
    await partition.run(log.slice(4), 1);
    await partition.reopen();
    expect(partition.state.changedSince(3 as Offset)).toBeUndefined();
    const changed: string[] = [];
    for await (const batch of partition.state.changedSince(4 as Offset) ?? [])
      changed.push(...batch.rows.map((row) => row.user), ...batch.erased.map((user) => `-${user}`));
    expect(changed.sort()).toEqual(["-u", "v", "w"]);
  });
});

const endOf = (log: readonly PositionedRecord[], count: number): Offset => (log[Math.min(log.length, count) - 1]?.offset ?? 0) as Offset;
