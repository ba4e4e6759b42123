import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RandomIndexing } from "../../models/item-vectors/random-indexing.js";
import type { ItemId, Offset, Partition, UserId } from "../../schemas/ids.js";
import type { PositionedRecord } from "../../schemas/log-record.js";
import type { ChangelogRecord } from "../../schemas/ports/changelog.js";
import type { StoreWrite } from "../../schemas/ports/key-value-store.js";
import { PartitionReplica } from "../../state/partition-replica.js";
import { PartitionState } from "../../state/partition-state.js";
import { ReplicaChunk } from "../../state/replica-chunk.js";
import { MemoryCatalogues } from "../harness/memory-catalogues.js";
import { MemoryChangelog } from "../harness/memory-changelog.js";
import { MemoryStore } from "../harness/memory-store.js";
import { activate, catalogueOf, erase, event, positioned, TestPartition } from "./fold-fixture.js";
import { aLog, CATALOGUES } from "./random-logs.js";
import { bandsOf, Readers, rowsOf } from "./stored-rows.js";

/** Ends the process, so to speak, before one of its writes. */
class CrashingStore extends MemoryStore {
  left = Number.POSITIVE_INFINITY;

  override async batch(writes: readonly StoreWrite[]): Promise<void> {
    if (this.left-- <= 0) throw new Error("killed");
    await super.batch(writes);
  }

  override async clear(range: Parameters<MemoryStore["clear"]>[0]): Promise<void> {
    if (this.left-- <= 0) throw new Error("killed");
    await super.clear(range);
  }
}

const stored = new MemoryCatalogues();
for (const catalogue of CATALOGUES) await stored.put(catalogue);
const partsOf = (store: MemoryStore, catalogues = stored) => ({
  store,
  partition: 0 as Partition,
  catalogues,
  itemVectors: RandomIndexing.of,
});
const replicaOf = (store: MemoryStore, partRows = 4096, openBytes = 1 << 20): Promise<PartitionReplica> =>
  PartitionReplica.open({ ...partsOf(store), partRows, openBytes });
const ownerOf = (store: MemoryStore, changelog: MemoryChangelog): Promise<PartitionState> =>
  PartitionState.open({ ...partsOf(store), changelog, migrateRows: 2, cacheRows: 2 });

/** Brings a store up to the changelog's end; `onBatch` is told of everything published. */
async function caughtUp(
  store: MemoryStore,
  changelog: MemoryChangelog,
  { partRows = 4096, slice = 1000, readers = new Readers() } = {},
): Promise<PartitionReplica> {
  const replica = await replicaOf(store, partRows);
  if (replica.changelogNext < changelog.deletesFrom) {
    await replica.reset();
    readers.users.clear();
  }
  for (const { records, next } of changelog.slices(replica.changelogNext, slice))
    for (const batch of await replica.apply(records, next)) readers.take(batch);
  await replica.settled();
  return replica;
}

async function straight(log: readonly PositionedRecord[]): Promise<TestPartition> {
  const partition = await TestPartition.open(CATALOGUES);
  await partition.run(log);
  await partition.migrate();
  return partition;
}

/** The same changelog, folded by one owner who never ended. */
async function logged(log: readonly PositionedRecord[], batchSize: number): Promise<{ changelog: MemoryChangelog; owner: TestPartition }> {
  const changelog = new MemoryChangelog();
  const owner = await TestPartition.open(CATALOGUES, { changelog, migrateRows: 2 });
  await owner.run(log, batchSize);
  return { changelog, owner };
}

async function expectSame(replica: PartitionReplica, store: MemoryStore, owner: TestPartition): Promise<void> {
  expect(replica.complete).toBe(true);
  expect(replica.summary()).toEqual(owner.state.summary());
  expect(await rowsOf(store)).toEqual(await rowsOf(owner.store));
  expect(await bandsOf(store)).toEqual(await bandsOf(owner.store));
  const report = await replica.verify();
  expect([report.faults, report.recomputedHash]).toEqual([[], owner.hash]);
}

describe("PartitionReplica", () => {
  it("makes the same rows of records that it keeps for a while, however much it may keep, and where it ends and goes on", async () => {
    const cuts = fc.record({
      slice: fc.integer({ min: 1, max: 20 }),
      partRows: fc.integer({ min: 1, max: 6 }),
      openBytes: fc.integer({ min: 1, max: 4_000 }),
      restartAfter: fc.integer({ min: 0, max: 10 }),
    });
    await fc.assert(
      fc.asyncProperty(aLog, cuts, async (log, { slice, partRows, openBytes, restartAfter }) => {
        const { changelog, owner } = await logged(log, 7);
        const store = new MemoryStore();
        let replica = await replicaOf(store, partRows, openBytes);
        let left = restartAfter;
        for (const { records, next } of changelog.slices(0, slice)) {
          if (left-- === 0) break;
          await replica.applyOn(records, next);
        }
        // What was kept and not written is gone with the process.
        await replica.settled();
        replica = await replicaOf(store, partRows, openBytes);
        for (const { records, next } of changelog.slices(replica.changelogNext, slice)) await replica.applyOn(records, next);
        await replica.flush();
        await replica.settled();
        expect(replica.changelogNext).toBe(changelog.end);
        await expectSame(replica, store, owner);
      }),
      { numRuns: 60 },
    );
  });

  it("keeps its own copies of the records, in little more memory than those of the newest have", async () => {
    const { changelog, owner } = await logged(
      positioned([activate(1), ...Array.from({ length: 200 }, (_, i) => event(`u${i % 2}`, `i${i}`, i / 100))]),
      10,
    );
    const chunk = new ReplicaChunk();
    for (const { key, value } of changelog.records) {
      const [keyCopy, valueCopy] = [Buffer.from(key), value && Buffer.from(value)];
      chunk.take({ key: keyCopy, value: valueCopy }, "here");
      keyCopy.fill(0xff);
      valueCopy?.fill(0xff);
    }
    const newest = new Map(changelog.records.map(({ key, value }) => [Buffer.from(key).toString(), value]));
    const [part, ...rest] = chunk.parts(10);
    expect(rest).toEqual([]);
    expect([...(part?.rows ?? [])].map(([user, value]) => [user, Buffer.from(value ?? []).toString("hex")])).toEqual(
      ["u0", "u1"].map((user) => [user, Buffer.from(newest.get(`u/${user}`) ?? []).toString("hex")]),
    );
    expect(part?.position?.offset).toBe(owner.state.appliedOffset);
    const bytes = ["u/u0", "u/u1"].reduce((sum, key) => sum + (newest.get(key)?.length ?? 0), 0);
    expect(chunk.bytes).toBeLessThan(bytes + 2 * 400);
    expect(chunk.bytes).toBeGreaterThan(bytes);
  });

  it("has the owner's rows at the end, byte for byte, however the changelog is cut and compacted; readers have seen them", async () => {
    const cuts = fc.record({
      batchSize: fc.integer({ min: 1, max: 30 }),
      slice: fc.integer({ min: 1, max: 20 }),
      partRows: fc.integer({ min: 1, max: 6 }),
      compactTo: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
      dropDeletes: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(aLog, cuts, async (log, { batchSize, slice, partRows, compactTo, dropDeletes }) => {
        const { changelog, owner } = await logged(log, batchSize);
        if (compactTo !== undefined) changelog.compact(Math.floor(compactTo * (changelog.end + 1)), { dropDeletes });
        const store = new MemoryStore();
        const readers = new Readers();
        const replica = await caughtUp(store, changelog, { slice, partRows, readers });
        await expectSame(replica, store, owner);
        expect(replica.changelogNext).toBe(changelog.end);
        expect((await Readers.of(replica.scanRows(2))).sorted).toEqual((await Readers.of(owner.state.scanRows())).sorted);
        // While rows are migrated readers may see what migration will make of them before the owner has told of it.
        if (!owner.state.migrating) expect(readers.sorted).toEqual((await Readers.of(owner.state.scanRows())).sorted);
        for (const user of ["u0", "u1", "u2"]) {
          const profile = await replica.profile(user as UserId);
          expect(profile).toEqual(await owner.state.profile(user as UserId));
        }
      }),
      { numRuns: 120 },
    );
  }, 60_000);

  it("goes from owner to owner: crashes, hand-overs to new and old stores, compactions; one clean fold gives the same", async () => {
    const step = fc.record({
      take: fc.integer({ min: 0, max: 15 }),
      move: fc.constantFrom("go on", "go on", "restart", "crash behind the changelog", "new store", "old store", "compact", "refused"),
      dropDeletes: fc.boolean(),
      slice: fc.integer({ min: 1, max: 12 }),
      partRows: fc.integer({ min: 1, max: 6 }),
      crashAfter: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(aLog, fc.array(step, { minLength: 1, maxLength: 25 }), async (log, plan) => {
        const changelog = new MemoryChangelog();
        const stores = [new CrashingStore()];
        let store = stores[0] as CrashingStore;
        let owner = await ownerOf(store, changelog);
        // A recall node beside them, which reads along.
        const warm = { store: new MemoryStore(), readers: new Readers() };
        for (const { take, move, dropDeletes, slice, partRows, crashAfter } of plan) {
          const from = owner.appliedOffset;
          const batch = await owner.fold(log.slice(from, from + take), Math.min(log.length, from + take) as Offset);
          if (move === "crash behind the changelog" || move === "refused") {
            changelog.refusal = move === "refused" ? new Error("fenced") : undefined;
            store.left = 0;
            await expect(owner.commit(batch)).rejects.toThrow(move === "refused" ? "fenced" : "killed");
            changelog.refusal = undefined;
            store.left = Number.POSITIVE_INFINITY;
          } else await owner.commit(batch);
          if (move === "compact") changelog.compact(changelog.end, { dropDeletes });
          if (move === "go on" || move === "compact") continue;
          // Sweeping ends with the process too.
          await owner.settled().catch(() => undefined);
          if (move === "new store") stores.push(new CrashingStore());
          store = (move === "old store" ? stores[0] : move === "new store" ? stores.at(-1) : store) as CrashingStore;
          if (crashAfter !== undefined) {
            store.left = crashAfter;
            await caughtUp(store, changelog, { slice, partRows }).catch((error: Error) => expect(error.message).toBe("killed"));
            store.left = Number.POSITIVE_INFINITY;
          }
          const replica = await caughtUp(store, changelog, { slice, partRows });
          expect([replica.complete, (await replica.verify()).faults]).toEqual([true, []]);
          await caughtUp(warm.store, changelog, { slice, partRows, readers: warm.readers });
          owner = await ownerOf(store, changelog);
        }
        const from = owner.appliedOffset;
        await owner.commit(await owner.fold(log.slice(from), log.length as Offset));
        while (owner.migrating) await owner.commit(await owner.fold([], owner.appliedOffset));
        const expected = await straight(log);
        expect(owner.summary()).toEqual(expected.state.summary());
        expect(await rowsOf(store)).toEqual(await rowsOf(expected.store));
        expect(await bandsOf(store)).toEqual(await bandsOf(expected.store));
        expect((await owner.verify()).faults).toEqual([]);
        const replica = await caughtUp(warm.store, changelog, { readers: warm.readers });
        await expectSame(replica, warm.store, expected);
        expect(warm.readers.sorted).toEqual((await Readers.of(expected.state.scanRows())).sorted);
      }),
      { numRuns: 150 },
    );
  }, 90_000);

  it("is not a state to go on from while a part of a commit is applied; what is read tells of the rows that are there", async () => {
    const { changelog, owner } = await logged(positioned([activate(1), ...["a", "b", "c", "d"].map((user) => event(user, "i", 1))]), 100);
    const records = [...changelog.records];
    const store = new MemoryStore();
    const replica = await replicaOf(store, 2);
    const batches = await replica.apply(records.slice(0, 3), 3);
    expect(batches.map(({ rows, endOffset }) => [rows.map(({ user }) => user), endOffset])).toEqual([
      [["a", "b"], 0],
      [["c"], 0],
    ]);
    expect([replica.complete, replica.appliedOffset, replica.changelogNext]).toEqual([false, 0, 3]);
    expect(await replica.verify()).toMatchObject({ rows: 3, faultCount: 0 });
    expect((await replica.profile("a" as UserId))?.items).toEqual([expect.objectContaining({ item: "i", weight: 3 })]);
    await expect(PartitionState.open(partsOf(store))).rejects.toMatchObject({ code: "STATE_INCOMPLETE", canRetry: true });
    // Opened again it knows of which catalogue its rows are, and reads on.
    const again = await replicaOf(store);
    expect((await again.profile("c" as UserId))?.catalogue).toBe(1);
    expect(await again.apply(records.slice(3), changelog.end)).toMatchObject([{ endOffset: 5, rows: [{ user: "d" }] }]);
    await expectSame(again, store, owner);
    expect((await PartitionState.open(partsOf(store))).summary()).toEqual(owner.state.summary());
  });

  it("tells readers of who is erased, also where the same user is back, and takes the bytes out of the store", async () => {
    const log = positioned([activate(1), event("gone", "a", 1), event("back", "a", 1), event("other", "a", 1)]);
    const { changelog, owner } = await logged(log, 10);
    const store = new MemoryStore();
    const replica = await caughtUp(store, changelog);
    const more = [erase("gone", 2), erase("back", 2), event("back", "b", 3)].map((record, i) => ({ offset: (5 + i) as Offset, record }));
    await owner.run(more);
    const [batch] = await replica.apply(changelog.records.slice(4), changelog.end);
    expect([batch?.erased, batch?.rows.map(({ user, items }) => [user, items])]).toEqual([["gone", "back"], [["back", ["b"]]]]);
    await expectSame(replica, store, owner);
    const naming = async (): Promise<string[]> => {
      const keys: string[] = [];
      for await (const [key, value] of store.iterate({}))
        if (Buffer.concat([key, value]).includes("gone")) keys.push(Buffer.from(key).toString("latin1", 0, 1));
      return keys;
    };
    // The change record, until nobody has to hear of the erasure any more.
    expect(await naming()).toEqual(["c", "c"]);
    await owner.run([{ offset: 8 as Offset, record: event("other", "b", 3) }]);
    await replica.apply(changelog.records.slice(-2), changelog.end);
    await replica.snapshot(8 as Offset);
    expect(await naming()).toEqual([]);
    // An event from before the erasure does not count for the next owner either.
    const next = await PartitionState.open(partsOf(store));
    expect((await next.fold([{ offset: 9 as Offset, record: event("gone", "a", 2) }], 9 as Offset)).counts).toMatchObject({ erased: 1 });
  });

  it("says who changed since an offset, and that it does not know where rows came before any offset", async () => {
    const log = positioned([activate(1), ...["a", "b", "c"].map((user) => event(user, "i", 1)), event("a", "j", 2), event("d", "i", 2)]);
    const { changelog } = await logged(log, 1);
    // Cut so that each slice has one commit's position and the next one's row: who was up to an offset has seen that row.
    const fresh = await caughtUp(new MemoryStore(), changelog, { slice: 2 });
    const since = async (replica: PartitionReplica, offset: number): Promise<string[] | undefined> => {
      const changed = replica.changedSince(offset as Offset);
      return changed && [...(await Readers.of(changed)).users.keys()].sort();
    };
    expect([await since(fresh, 4), await since(fresh, 6)]).toEqual([["a", "d"], []]);
    changelog.compact(changelog.end, { dropDeletes: false });
    const compacted = await caughtUp(new MemoryStore(), changelog, { slice: 4, partRows: 2 });
    expect([compacted.appliedOffset, await since(compacted, 0), await since(compacted, 5)]).toEqual([6, undefined, undefined]);
    expect(await since(compacted, 6)).toEqual([]);
  });

  it("forgets everything where deletes may be missing, wherever it is ended in that", async () => {
    const log = positioned([activate(1), event("gone", "a", 1), event("stays", "a", 1), erase("gone", 2), event("stays", "b", 3)]);
    const { changelog, owner } = await logged(log.slice(0, 3), 10);
    const old = new CrashingStore();
    await caughtUp(old, changelog);
    const copy: StoreWrite[] = [];
    for await (const [key, value] of old.iterate({})) copy.push({ type: "put", key, value });
    await owner.run(log.slice(3));
    changelog.compact(changelog.end, { dropDeletes: true });
    for (let writes = 0; writes < 5; writes++) {
      const store = new CrashingStore();
      await store.batch(copy);
      const replica = await replicaOf(store);
      store.left = writes;
      const ended = await replica.reset().then(
        () => true,
        () => false,
      );
      expect(ended).toBe(writes >= 4);
      store.left = Number.POSITIVE_INFINITY;
      // Either nothing has happened yet, or it is brought to its end.
      await expectSame(await caughtUp(store, changelog), store, owner);
    }
  });

  it("waits for a catalogue that is not stored yet: nothing is applied, and the same records are taken once it is", async () => {
    const { changelog, owner } = await logged(positioned([activate(1), event("a", "i", 1), activate(2), event("a", "j", 2)]), 10);
    const catalogues = new MemoryCatalogues();
    const store = new MemoryStore();
    const replica = await PartitionReplica.open(partsOf(store, catalogues));
    await expect(replica.apply(changelog.records, changelog.end)).rejects.toMatchObject({ code: "UNKNOWN_CATALOGUE" });
    expect([replica.changelogNext, replica.complete]).toEqual([0, true]);
    for (const catalogue of CATALOGUES) await catalogues.put(catalogue);
    await replica.apply(changelog.records, changelog.end);
    await expectSame(replica, store, owner);
  });

  it("refuses what is damaged with the place, and is of no more use after a failed write", async () => {
    const { changelog } = await logged(positioned([activate(1), event("a", "i", 1)]), 10);
    const [row, position] = changelog.records as [ChangelogRecord, ChangelogRecord];
    const store = new CrashingStore();
    const replica = await replicaOf(store);
    const cut = { ...row, value: (row.value as Uint8Array).subarray(0, -1) };
    await expect(replica.apply([cut, position], 3)).rejects.toMatchObject({ code: "STATE_CORRUPT", where: "user a" });
    expect(store.size).toBe(0);
    store.left = 0;
    await expect(replica.apply([row, position], 3)).rejects.toThrow("killed");
    store.left = Number.POSITIVE_INFINITY;
    await expect(replica.apply([row, position], 3)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await expect(replica.verify()).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });

  it("is not complete where the rows do not add up to what the position record says", async () => {
    const { changelog } = await logged(positioned([activate(1), event("a", "i", 1), event("b", "i", 1)]), 10);
    const replica = await replicaOf(new MemoryStore());
    await replica.apply(changelog.records.slice(1), changelog.end);
    expect([replica.complete, replica.summary().rows]).toEqual([false, 1]);
    await replica.apply(changelog.records, changelog.end);
    expect(replica.complete).toBe(true);
  });
});

describe("a state that is opened where a replica stopped", () => {
  it("numbers its items as they lie there and goes on, with the replica's items and its own", async () => {
    const log = positioned([activate(1), ...Array.from({ length: 30 }, (_, i) => event(`u${i % 4}`, `i${(i * 7) % 11}`, i))]);
    const { changelog } = await logged(log.slice(0, 20), 3);
    changelog.compact(changelog.end, { dropDeletes: false });
    const store = new MemoryStore();
    await caughtUp(store, changelog);
    const partition = await TestPartition.open([catalogueOf(1, { profileItems: 8, idempotencyRing: 6 })], { store, changelog });
    expect(partition.state.changelogNext).toBe(changelog.end);
    await partition.run(log.slice(20), 4);
    expect(partition.hash).toBe((await straight(log)).hash);
    expect(partition.state.knownItems).toBe(11);
    expect((await partition.state.profile("u0" as UserId))?.items.map(({ item }) => item as ItemId)).toHaveLength(8);
  });
});
