import { beforeEach, describe, expect, it } from "vitest";
import { Maintenance } from "../../../cli/wiring/maintenance.js";
import type { UpdaterStores } from "../../../cli/wiring/updater-stores.js";
import { RandomIndexing } from "../../../models/item-vectors/random-indexing.js";
import { buildConfig } from "../../../schemas/config-validation.js";
import type { CatalogueNumber, ItemId, Offset } from "../../../schemas/ids.js";
import type { ItemInfo } from "../../../schemas/item.js";
import { MemoryStore } from "../../harness/memory-store.js";
import { NodeCipher } from "../../harness/node-cipher.js";
import { PipelineDriver } from "../../harness/pipeline-driver.js";
import { event } from "../../streams/journal-fixtures.js";

const DAY = 86_400_000;

/** A store that breaks down before one of its deletions, and then holds what it held. */
class BreakingStore extends MemoryStore {
  /** Deletions that still work. */
  left = Number.POSITIVE_INFINITY;

  override async clear(range: Parameters<MemoryStore["clear"]>[0]): Promise<void> {
    if (this.left-- <= 0) throw new Error("the power is gone");
    await super.clear(range);
  }

  override async batch(writes: Parameters<MemoryStore["batch"]>[0]): Promise<void> {
    if (writes.some(({ type }) => type === "del") && this.left-- <= 0) throw new Error("the power is gone");
    await super.batch(writes);
  }
}

describe("Maintenance", () => {
  let now = 0;
  beforeEach(() => {
    now = 0;
  });
  const config = (retentionDays: number) => buildConfig([{ values: { journal: { retentionDays } }, where: () => "test" }]);
  const log = { debug: () => undefined, info: () => {}, warn: () => {}, error: () => {} };
  const drive = (stores: { journal: MemoryStore; state: MemoryStore }, migrateRows = 256): Promise<PipelineDriver> =>
    PipelineDriver.open({
      cipher: new NodeCipher(),
      itemVectors: (ref) => RandomIndexing.of(ref),
      stores,
      migrateRows,
      journal: { now: () => now, recentBytes: 0 },
    });
  const maintain = (driver: PipelineDriver, retentionDays = 1): Promise<void> =>
    new Maintenance({
      config: config(retentionDays),
      stores: driver as unknown as UpdaterStores,
      index: undefined,
      models: undefined,
      log,
    }).run();
  const catalogues = async (driver: PipelineDriver): Promise<number[]> => {
    const numbers = Array.from({ length: 9 }, (_, i) => (i + 1) as CatalogueNumber);
    const found = await Promise.all(numbers.map((number) => driver.catalogues.get(number)));
    return numbers.filter((_, i) => found[i] !== undefined);
  };
  const tagged = (day: number): ItemInfo[] =>
    Array.from({ length: 11 }, (_, i) => ({ item: `song:${i}` as ItemId, type: "song", tags: [`t${(i * day) % 5}`] }));

  /** Days 0 to 4: on each some events, and then a catalogue of its own for those of the next. */
  async function fiveDays(driver: PipelineDriver): Promise<void> {
    for (let day = 0; day < 5; day++) {
      now = day * DAY;
      for (let i = 0; i < 4; i++) await driver.send(...Array.from({ length: 6 }, (_, u) => event(`u${u}`, `song:${(day + i * u) % 11}`)));
      await driver.activateItems(tagged(day + 1));
      await driver.drain();
    }
  }

  /** What folding everything that is kept into a new state gives. */
  async function folded(journal: MemoryStore): Promise<{ hash: string; faults: number }> {
    const driver = await drive({ journal, state: new MemoryStore() });
    await driver.drain();
    const result = { hash: driver.state.summary().hash, faults: (await driver.state.verify()).faultCount };
    await driver.stop();
    return result;
  }

  it("keeps all catalogues without retention: a new fold from the begin needs each of them", async () => {
    const stores = { journal: new MemoryStore(), state: new MemoryStore() };
    const driver = await drive(stores);
    await fiveDays(driver);
    await maintain(driver, 0);
    expect(await catalogues(driver)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await folded(stores.journal)).toEqual({ hash: driver.state.summary().hash, faults: 0 });
  });

  it("deletes with a cut what only the records before it were folded with; the rest folds as before", async () => {
    const stores = { journal: new MemoryStore(), state: new MemoryStore() };
    const driver = await drive(stores);
    await fiveDays(driver);
    // Day 3 on is kept; its first events are of the catalogue that the evening of day 2 brought.
    now = 4 * DAY;
    await driver.journal.cutBefore(await driver.journal.firstAcceptedFrom(3 * DAY));
    const before = await folded(stores.journal);
    expect(await catalogues(driver)).toEqual([1, 2, 3, 4, 5, 6]);
    await maintain(driver);
    expect(await catalogues(driver)).toEqual([4, 5, 6]);
    expect(await folded(stores.journal)).toEqual(before);
    expect(before.faults).toBe(0);
    // The next day one more goes.
    now = 5 * DAY;
    await driver.send(event("u1", "song:1"));
    await driver.drain();
    await maintain(driver);
    expect(await catalogues(driver)).toEqual([5, 6]);
    expect((await folded(stores.journal)).faults).toBe(0);
    // Nothing is left but what the state is of.
    now = 50 * DAY;
    await maintain(driver);
    expect(driver.journal.firstOffset).toBe(driver.journal.endOffset + 1);
    expect(await catalogues(driver)).toEqual([6]);
    await driver.restart();
    await driver.send(event("u2", "song:2"));
    await driver.drain();
    expect(driver.state.summary()).toMatchObject({ catalogue: 6, rows: 6 });
  });

  it("keeps what rows still wait to be recomputed from, also for a state that is opened again", async () => {
    const stores = { journal: new MemoryStore(), state: new MemoryStore() };
    const driver = await drive(stores, 1);
    await driver.send(...Array.from({ length: 60 }, (_, u) => event(`u${u}`, "song:1")));
    await driver.drain();
    await driver.stop();
    await driver.activateItems(tagged(1));
    const offset = driver.journal.endOffset;
    await driver.state.commit(await driver.state.fold([{ offset, record: { kind: "activate", catalogue: 2 as CatalogueNumber } }], offset));
    expect(driver.state.migrating).toBe(true);
    now = 40 * DAY;
    await maintain(driver);
    expect(driver.journal.firstOffset).toBe(driver.journal.endOffset + 1);
    expect(await catalogues(driver)).toEqual([1, 2]);
    await driver.restart();
    await driver.drain();
    // Until the last of its batches is committed.
    await driver.stop();
    await maintain(driver);
    expect(await catalogues(driver)).toEqual([2]);
    expect(await driver.state.verify()).toMatchObject({ rows: 60, faultCount: 0 });
  });

  it("loses nothing where it breaks down between any two of its steps, and makes up for it at the next time", async () => {
    const reference = { journal: new MemoryStore(), state: new MemoryStore() };
    const whole = await drive(reference);
    await fiveDays(whole);
    await maintain(whole);
    const expected = await folded(reference.journal);
    for (let steps = 0; steps < 3; steps++) {
      const stores = { journal: new BreakingStore(), state: new MemoryStore() };
      const driver = await drive(stores);
      await fiveDays(driver);
      const { hash } = driver.state.summary();
      stores.journal.left = steps;
      await expect(maintain(driver)).rejects.toThrow("the power is gone");
      stores.journal.left = Number.POSITIVE_INFINITY;
      await driver.restart();
      await driver.drain();
      expect(driver.state.summary().hash).toBe(hash);
      expect(await folded(stores.journal)).toEqual(expected);
      await maintain(driver);
      expect(await catalogues(driver)).toEqual(await catalogues(whole));
      expect(await folded(stores.journal)).toEqual(expected);
    }
  });

  it("goes on behind a cut that is older than what the journal remembers of activations, and deletes nothing then", async () => {
    const stores = { journal: new MemoryStore(), state: new MemoryStore() };
    const driver = await drive(stores);
    await fiveDays(driver);
    // As an earlier version left it.
    await stores.journal.clear({ gte: Buffer.from("a"), lt: Buffer.from("b") });
    await maintain(driver);
    expect(driver.journal.firstOffset).toBeGreaterThan(1);
    expect(await catalogues(driver)).toEqual([1, 2, 3, 4, 5, 6]);
    await driver.activateItems(tagged(9));
    await driver.drain();
    await driver.journal.cutBefore(driver.journal.endOffset as Offset);
    await maintain(driver);
    expect(await catalogues(driver)).toEqual([7]);
  });
});
