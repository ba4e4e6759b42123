import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RandomIndexing } from "../../models/item-vectors/random-indexing.js";
import type { Offset, Partition } from "../../schemas/ids.js";
import type { PositionedRecord } from "../../schemas/log-record.js";
import { PartitionReplica } from "../../state/partition-replica.js";
import { PartitionState } from "../../state/partition-state.js";
import { MemoryCatalogues } from "../harness/memory-catalogues.js";
import { MemoryChangelog } from "../harness/memory-changelog.js";
import { MemoryStore } from "../harness/memory-store.js";
import { activate, event, positioned, TestPartition } from "./fold-fixture.js";
import { aLog, CATALOGUES } from "./random-logs.js";
import { rowsOf } from "./stored-rows.js";

const catalogues = new MemoryCatalogues();
for (const catalogue of CATALOGUES) await catalogues.put(catalogue);
const parts = (store: MemoryStore) => ({ store, partition: 0 as Partition, catalogues, itemVectors: RandomIndexing.of });
const ownerOf = (store: MemoryStore, rest: Partial<Parameters<typeof PartitionState.open>[0]> = {}): Promise<PartitionState> =>
  PartitionState.open({ ...parts(store), migrateRows: 2, cacheRows: 2, bands: false, publishes: false, ...rest });

const keysOf = async (store: MemoryStore, prefix: string): Promise<number> => {
  let keys = 0;
  for await (const _ of store.iterate({ gte: Buffer.from(prefix), lt: Buffer.from([(prefix.charCodeAt(0) as number) + 1]) })) keys++;
  return keys;
};

const endOf = (records: readonly PositionedRecord[]): Offset => (records.at(-1) as PositionedRecord).offset;
const events = (count: number, users = 3): PositionedRecord[] =>
  positioned([activate(1), ...Array.from({ length: count }, (_, i) => event(`u${i % users}`, `i${i % 7}`, i))]);

describe("batches that are kept open", () => {
  it("give the rows of one clean fold, whatever is left open, sealed and lost by restarts, in the store and of the changelog", async () => {
    await fc.assert(
      fc.asyncProperty(
        aLog,
        fc.array(fc.record({ size: fc.integer({ min: 1, max: 12 }), way: fc.constantFrom("on", "on", "seal", "restart") }), {
          minLength: 1,
        }),
        async (log, steps) => {
          const clean = await TestPartition.open(CATALOGUES);
          await clean.run(log);
          await clean.migrate();
          const store = new MemoryStore();
          const changelog = new MemoryChangelog();
          let state = await ownerOf(store, { changelog });
          let from = 0;
          for (let n = 0; from < log.length; n++) {
            const { size, way } = steps[n % steps.length] as (typeof steps)[0];
            if (way === "restart" && n < 200) {
              state = await ownerOf(store, { changelog });
              from = log.filter(({ offset }) => offset <= state.appliedOffset).length;
            }
            const some = log.slice(from, from + size);
            from += some.length;
            const folded = await (way === "on" || way === "restart" ? state.foldOn(some, endOf(some)) : state.fold(some, endOf(some)));
            if (folded !== undefined) await state.commit(folded);
          }
          do await state.commit(await state.fold([], endOf(log)));
          while (state.migrating);
          expect(state.summary().hash).toBe(clean.hash);
          expect(await state.verify()).toMatchObject({ faultCount: 0, storedHash: clean.hash });
          expect(await rowsOf(store)).toEqual(await rowsOf(clean.store as MemoryStore));
          const copy = new MemoryStore();
          const replica = await PartitionReplica.open({ ...parts(copy), bands: false });
          for (const { records, next } of changelog.slices(0, 1000)) await replica.apply(records, next);
          expect(replica.summary()).toEqual(state.summary());
        },
      ),
      { numRuns: 60 },
    );
  });

  it("write a row once that changed in several of them, and count what all of them folded", async () => {
    const changelog = new MemoryChangelog();
    const state = await ownerOf(new MemoryStore(), { changelog });
    const log = events(30);
    for (let from = 0; from < 20; from += 10) expect(await state.foldOn(log.slice(from, from + 10), (from + 10) as Offset)).toBeUndefined();
    expect(state.appliedOffset).toBe(0);
    const folded = await state.fold(log.slice(20), endOf(log));
    expect(folded).toMatchObject({ endOffset: 31, counts: { folded: 30, skipped: 0 }, rows: [], vectors: [] });
    await state.commit(folded);
    expect(state.appliedOffset).toBe(31);
    expect(changelog.records.map(({ key }) => Buffer.from(key).toString()).sort()).toEqual(["p", "u/u0", "u/u1", "u/u2"]);
  });

  it("are sealed where they hold as many records or changed rows as is allowed", async () => {
    const byRecords = await ownerOf(new MemoryStore(), { open: { records: 10, rows: 1000 } });
    expect(await byRecords.foldOn(events(8), 9 as Offset)).toBeUndefined();
    expect((await byRecords.foldOn(events(9).slice(9), 10 as Offset))?.counts.folded).toBe(9);
    const byRows = await ownerOf(new MemoryStore(), { open: { records: 1000, rows: 5 } });
    expect(await byRows.foldOn(events(8, 4), 9 as Offset)).toBeUndefined();
    expect(
      (
        await byRows.foldOn(
          positioned([event("new", "i1", 1)]).map((one) => ({ ...one, offset: 10 as Offset })),
          10 as Offset,
        )
      )?.endOffset,
    ).toBe(10);
  });
});

describe("a store without readers", () => {
  it("has neither bands nor who changed, and says so to whoever opens it later", async () => {
    const store = new MemoryStore();
    const state = await ownerOf(store);
    await state.commit(await state.fold(events(30), 31 as Offset));
    expect([await keysOf(store, "b"), await keysOf(store, "c"), await keysOf(store, "r")]).toEqual([0, 0, 3]);
    expect(state.changedSince(0 as Offset)).toBeUndefined();
    const later = await PartitionState.open(parts(store));
    expect(later.changedSince(31 as Offset)).toBeUndefined();
    expect(await later.verify()).toMatchObject({ rows: 3, faultCount: 0 });
  });

  it("loses the bands that it had: an erasure would leave the user's there", async () => {
    const store = new MemoryStore();
    const before = await PartitionState.open(parts(store));
    await before.commit(await before.fold(events(30), 31 as Offset));
    expect(await keysOf(store, "b")).toBeGreaterThan(0);
    await ownerOf(store);
    expect(await keysOf(store, "b")).toBe(0);
  });
});
