import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RandomIndexing } from "../../models/item-vectors/random-indexing.js";
import type { ItemId, Partition, UserId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { StoreWrite } from "../../schemas/ports/key-value-store.js";
import { PartitionReplica } from "../../state/partition-replica.js";
import { numberKey } from "../../streams/journal/journal-keys.js";
import { event } from "../streams/journal-fixtures.js";
import { MemoryChangelog } from "./memory-changelog.js";
import { MemoryStore } from "./memory-store.js";
import { NodeCipher } from "./node-cipher.js";
import { type DriverOptions, PipelineDriver } from "./pipeline-driver.js";

const DAY = 86_400_000;
const drive = (options: Partial<DriverOptions> = {}): Promise<PipelineDriver> =>
  PipelineDriver.open({ cipher: new NodeCipher(), itemVectors: (ref) => RandomIndexing.of(ref), ...options });

const behaviour = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) =>
    event(`u${((from + i) * 7) % 23}`, `song:${((from + i) * 13) % 61}`, 1_600_000_000_000 + (from + i) * 600_000),
  );

/** Fails the writes that it is told to, and writes nothing of them. */
class FailingStore extends MemoryStore {
  #left = Number.POSITIVE_INFINITY;

  failAfter(writes: number): void {
    this.#left = writes;
  }

  override async batch(writes: readonly StoreWrite[]): Promise<void> {
    if (this.#left-- <= 0) throw new Error("the disk is gone");
    await super.batch(writes);
  }
}

describe("the pipeline, whole, in memory", () => {
  it("publishes what was sent", async () => {
    const driver = await drive();
    const position = await driver.send(event("ann", "song:1"), event("ann", "song:2"), event("bob", "song:1"));
    await driver.drain();
    expect(driver.rows.get("ann" as UserId)).toMatchObject({ events: 2, items: expect.arrayContaining(["song:1", "song:2"]) });
    expect(driver.rows.get("bob" as UserId)).toMatchObject({ events: 1, items: ["song:1"] });
    expect(driver.state.summary()).toMatchObject({ rows: 2, position });
    for (const { acceptedAt, publishedAt } of driver.batches) expect(publishedAt).toBeGreaterThanOrEqual(acceptedAt);
    await driver.close();
  });

  it("gives the same state hash however the log is cut into batches, appended, and restarted", async () => {
    const events = behaviour(400);
    const reference = await drive();
    await reference.send(...events);
    await reference.drain();
    const { hash, rows } = reference.state.summary();
    await reference.close();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1, 7, 64, 4096),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        async (maxRecords, credits, appends, restarts) => {
          const driver = await drive({
            stores: { journal: new MemoryStore(), state: new MemoryStore() },
            pipeline: { maxRecords, credits },
            cacheRows: 5,
          });
          let sent = 0;
          for (const size of [...appends, events.length]) {
            await driver.send(...events.slice(sent, sent + size));
            sent += size;
            if (restarts) {
              await driver.stop();
              await driver.restart();
            }
          }
          await driver.drain();
          expect(driver.state.summary()).toMatchObject({ hash, rows });
          await driver.close();
        },
      ),
      { numRuns: 12 },
    );
  });

  it("comes to the same state after the state's disk failed at any write", async () => {
    const events = behaviour(120);
    const reference = await drive();
    await reference.send(...events);
    await reference.drain();
    const { hash } = reference.state.summary();
    for (let writes = 0; writes < 8; writes++) {
      const stores = { journal: new MemoryStore(), state: new FailingStore() };
      const driver = await drive({ stores, pipeline: { maxRecords: 16 } });
      stores.state.failAfter(writes);
      await driver.send(...events);
      await expect(driver.drain()).rejects.toThrow("the disk is gone");
      stores.state.failAfter(Number.POSITIVE_INFINITY);
      await driver.restart();
      await driver.drain();
      expect(driver.state.summary().hash).toBe(hash);
    }
  });

  it("goes on from the changelog after the state's disk failed at any write, or was lost, with the rows that readers saw", async () => {
    const events = behaviour(200);
    const reference = await drive();
    await reference.send(...events);
    await reference.drain();
    const { hash } = reference.state.summary();
    for (let writes = 0; writes < 8; writes++) {
      const changelog = new MemoryChangelog();
      const stores = { journal: new MemoryStore(), state: new FailingStore() };
      const driver = await drive({ stores, changelog, pipeline: { maxRecords: 24 } });
      stores.state.failAfter(writes);
      await driver.send(...events);
      await expect(driver.drain()).rejects.toThrow("the disk is gone");
      await driver.stop();
      changelog.compact(changelog.end, { dropDeletes: false });
      // The store as it is, and one on another machine.
      stores.state.failAfter(Number.POSITIVE_INFINITY);
      for (const state of [stores.state, new MemoryStore()]) {
        const { catalogues } = driver;
        const replica = await PartitionReplica.open({
          store: state,
          partition: 0 as Partition,
          catalogues,
          itemVectors: RandomIndexing.of,
        });
        for await (const { records, next } of changelog.read(replica.changelogNext)) await replica.apply(records, next);
        expect(replica.appliedOffset).toBeGreaterThan(0);
        const next = await drive({ stores: { journal: stores.journal, state }, changelog, pipeline: { maxRecords: 24 } });
        await next.drain();
        expect(next.state.summary().hash).toBe(hash);
        expect((await next.state.verify()).faultCount).toBe(0);
        await next.stop();
      }
    }
  });

  it("has what was acknowledged, and nothing else, after the journal's disk failed at any write", async () => {
    for (let writes = 0; writes < 6; writes++) {
      const stores = { journal: new FailingStore(), state: new MemoryStore() };
      const driver = await drive({ stores });
      stores.journal.failAfter(writes);
      const acknowledged: string[] = [];
      for (let i = 0; i < 8; i++)
        await driver.send(event(`u${i}`, "song:1")).then(
          () => acknowledged.push(`u${i}`),
          (error: { code: string }) => expect(error.code).toBe("STORAGE_FAILED"),
        );
      expect(acknowledged).toHaveLength(writes);
      stores.journal.failAfter(Number.POSITIVE_INFINITY);
      await driver.restart();
      await driver.send(event("late", "song:1"));
      await driver.drain();
      expect(driver.state.summary().rows).toBe(writes + 1);
      for (const user of [...acknowledged, "late"]) expect((await driver.state.profile(user as UserId))?.events).toBe(1);
    }
  });

  it("erases a user for good: gone from the rows, and not brought back by a restart or by folding the log again", async () => {
    const stores = { journal: new MemoryStore(), state: new MemoryStore() };
    const driver = await drive({ stores });
    await driver.send(event("ann", "song:1"), event("bob", "song:2"));
    await driver.drain();
    await driver.intake.erase("ann" as UserId, 1_700_000_000_000 + DAY);
    await driver.drain();
    expect([...driver.rows.keys()]).toEqual(["bob"]);
    await driver.stop();
    const again = await drive({ stores: { journal: stores.journal, state: new MemoryStore() } });
    await again.drain();
    expect([...again.rows.keys()]).toEqual(["bob"]);
    expect(again.batches.reduce((sum, { unreadable }) => sum + unreadable, 0)).toBe(1);
    expect(again.state.summary().hash).toBe(driver.state.summary().hash);
  });

  it("recomputes all rows after an activation while the log is quiet", async () => {
    const driver = await drive({ migrateRows: 2 });
    await driver.send(...behaviour(100));
    await driver.drain();
    const before = driver.state.summary().hash;
    const items = Array.from({ length: 61 }, (_, i): ItemInfo => ({ item: `song:${i}` as ItemId, type: "song", tags: [`tag${i % 3}`] }));
    await driver.activateItems(items);
    await driver.drain();
    expect(driver.state.summary()).toMatchObject({ migrating: false, catalogue: 2, rows: 23 });
    expect(driver.state.summary().hash).not.toBe(before);
    expect((await driver.state.verify()).faultCount).toBe(0);
    await driver.close();
  });

  it("diverts damaged records once, folds all others, and says where they were", async () => {
    const stores = { journal: new MemoryStore(), state: new MemoryStore() };
    const driver = await drive({ stores });
    await driver.drain();
    await driver.stop();
    for (let i = 0; i < 3; i++) await driver.send(event(`u${i}`, "song:1"), event(`v${i}`, "song:2"));
    const key = numberKey("r", 4);
    const block = Buffer.from((await stores.journal.get(key)) as Uint8Array);
    block[20] = (block[20] as number) ^ 0xff;
    await stores.journal.batch([{ type: "put", key, value: block }]);
    await driver.restart();
    await driver.drain();
    expect([...driver.rows.keys()].sort()).toEqual(["u0", "u2", "v0", "v2"]);
    const letters = await driver.deadLetters.list({ limit: 10 });
    expect(letters).toEqual([expect.objectContaining({ code: "RECORD_UNREADABLE", origin: "journal 0:4-5", number: 1 })]);
    // The same log folded into another state meets the same damage: no second letter.
    const again = await drive({ stores: { journal: stores.journal, state: new MemoryStore() } });
    await again.drain();
    expect(await again.deadLetters.list({ limit: 10 })).toHaveLength(1);
    expect(again.state.summary().hash).toBe(driver.state.summary().hash);
  });
});
