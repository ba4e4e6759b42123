import { existsSync } from "node:fs";
import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SearchIndex } from "../../../cli/wiring/search-index.js";
import { RandomIndexing } from "../../../models/item-vectors/random-indexing.js";
import type { Config } from "../../../schemas/config.js";
import { buildConfig } from "../../../schemas/config-validation.js";
import type { CatalogueNumber, Generation, Offset, Partition, UserId } from "../../../schemas/ids.js";
import type { LogRecord } from "../../../schemas/log-record.js";
import type { RowSource } from "../../../schemas/ports/row-source.js";
import { buildCatalogue, generationZero } from "../../../state/catalogue-builder.js";
import { foldSettings } from "../../../state/fold-settings.js";
import { PartitionReplica } from "../../../state/partition-replica.js";
import { PartitionState } from "../../../state/partition-state.js";
import { MemoryCatalogues } from "../../harness/memory-catalogues.js";
import { MemoryChangelog } from "../../harness/memory-changelog.js";
import { MemoryStore } from "../../harness/memory-store.js";
import { activate, erase, event } from "../../state/fold-fixture.js";

const REF = generationZero(32);
const ONE = { ...generationZero(16, 2), generation: 1 as Generation };
const LIVE = [{ ref: REF, itemVectors: RandomIndexing.of(REF) }];

/** A partition's owner and the replica that recall is fed from. */
class OwnedPartition {
  private constructor(
    readonly owner: PartitionState,
    readonly replica: PartitionReplica,
    readonly changelog: MemoryChangelog,
  ) {}

  static async open(number: number, store = new MemoryStore(), generations = [REF]): Promise<OwnedPartition> {
    const catalogues = new MemoryCatalogues();
    await catalogues.put(buildCatalogue(1 as CatalogueNumber, { settings: foldSettings(), items: [], generations }));
    const parts = { partition: number as Partition, catalogues, itemVectors: RandomIndexing.of };
    const changelog = new MemoryChangelog();
    const owner = await PartitionState.open({ ...parts, store: new MemoryStore(), changelog });
    return new OwnedPartition(owner, await PartitionReplica.open({ ...parts, store }), changelog);
  }

  /** Folds records, and gives what the replica has for readers then. */
  async take(...records: LogRecord[]): ReturnType<PartitionReplica["apply"]> {
    const from = this.owner.appliedOffset;
    const positioned = records.map((record, i) => ({ offset: (from + 1 + i) as Offset, record }));
    await this.owner.commit(await this.owner.fold(positioned, (from + records.length) as Offset));
    const batches = [];
    for await (const { records: some, next } of this.changelog.read(this.replica.changelogNext))
      batches.push(...(await this.replica.apply(some, next)));
    return batches;
  }
}

describe("SearchIndex over several partitions", () => {
  let config: Config;
  let partitions: OwnedPartition[];
  let index: SearchIndex | undefined;
  const lines: string[] = [];
  const log = { debug: () => {}, info: (_: object, text: string) => lines.push(text), warn: () => {}, error: () => {} };

  beforeEach(async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "kindred-search-index-"));
    config = buildConfig([{ values: { dataDir, catalogue: {} }, where: () => "test" }]);
    partitions = [await OwnedPartition.open(0), await OwnedPartition.open(2)];
    for (const [i, partition] of partitions.entries())
      await partition.take(activate(1), ...Array.from({ length: 6 }, (_, n) => event(`p${i}-${n}`, `i${n % 3}`, 1 + n)));
    lines.length = 0;
  });
  afterEach(async () => {
    await index?.close();
    index = undefined;
    await rm(config.dataDir, { recursive: true, force: true });
  });

  const open = async (sources: readonly RowSource[] = partitions.map(({ replica }) => replica)): Promise<SearchIndex> => {
    await index?.close();
    index = await SearchIndex.open({ config, live: LIVE, serving: REF.generation, sources, log });
    return index;
  };
  const reopened = (): boolean => lines.includes("the saved index is reopened");

  /** Everything that a source holds is found, row and vector, and nothing else. */
  async function expectAll(found: SearchIndex, sources: readonly RowSource[] = partitions.map(({ owner }) => owner)): Promise<void> {
    let users = 0;
    for (const source of sources)
      for await (const { rows, vectors } of source.scanRows())
        for (const [i, { user, events, offset, items }] of rows.entries()) {
          users += 1;
          expect(found.model.user(user)).toMatchObject({ events, offset, partition: source.partition, items });
          const mean = vectors[0]?.values.subarray(32 * i, 32 * (i + 1)) ?? new Float32Array();
          const length = Math.hypot(...mean);
          const vector = found.serving.users.vector(found.model.userOrdinal(user) as number) ?? new Float32Array();
          expect([...vector].map((x) => Math.round(x * 1e5))).toEqual([...mean].map((x) => Math.round((x / length) * 1e5)));
        }
    expect([found.model.stats().users, found.serving.users.size]).toEqual([users, users]);
    expect(found.model.applied().position).toEqual(new Map(sources.map((source) => [source.partition, source.appliedOffset])));
  }

  it("is filled from all of them, and takes what each applies", async () => {
    const found = await open();
    await expectAll(found);
    for (const batch of await (partitions[1] as OwnedPartition).take(event("p1-0", "i9", 20), erase("p1-1", 30), event("new", "i1", 40)))
      found.publish(batch);
    await expectAll(found);
    expect(found.model.user("p1-1" as UserId)).toBeUndefined();
  });

  it("catches each partition up by itself when it is reopened", async () => {
    const [first, second] = partitions as [OwnedPartition, OwnedPartition];
    const saved = await (await open()).save();
    expect(saved).toEqual(
      new Map([
        [0, 7],
        [2, 7],
      ]),
    );
    for (const batch of await first.take(event("p0-0", "i9", 20))) index?.publish(batch);
    expect((await index?.save())?.get(0 as Partition)).toBe(8);
    await first.take(event("p0-1", "i9", 21), erase("p0-2", 30));
    await second.take(erase("p1-3", 30), event("p1-3", "i4", 31), event("late", "i4", 32));
    lines.length = 0;
    await expectAll(await open());
    expect(reopened()).toBe(true);
  });

  it("is filled anew where one partition cannot say what changed, or the saved index has one that is not among them", async () => {
    const [first, second] = partitions as [OwnedPartition, OwnedPartition];
    await (await open()).save();
    await second.take(event("p1-0", "i9", 20), event("late", "i4", 32));
    await second.replica.snapshot(9 as Offset);
    lines.length = 0;
    await expectAll(await open());
    expect(reopened()).toBe(false);
    await index?.save();
    await expectAll(await open([first.replica]), [first.owner]);
    expect(reopened()).toBe(false);
    await index?.save();
    // One that joins is all new: its changes begin with its first record.
    await expectAll(await open([first.owner, second.owner]));
    expect(reopened()).toBe(true);
  });

  it("is filled anew where the state of a partition is older than the index", async () => {
    const [first, second] = partitions as [OwnedPartition, OwnedPartition];
    await (await open()).save();
    const empty = await OwnedPartition.open(2);
    await empty.take(activate(1), event("p1-0", "i0", 1));
    lines.length = 0;
    await expectAll(await open([first.replica, empty.replica]), [first.owner, empty.owner]);
    expect([reopened(), second.replica.appliedOffset]).toEqual([false, 7]);
  });

  const one = { ref: ONE, itemVectors: RandomIndexing.of(ONE) };

  it("has one space for a generation that several ask for at once, with what went into it", async () => {
    const found = await open();
    const put = async (): Promise<void> => {
      const { users } = await found.add(one);
      users.upsert({ ordinals: Uint32Array.of(users.size), vectors: new Float32Array(16).fill(1) });
    };
    await Promise.all([put(), put()]);
    await put();
    expect(found.space(ONE.generation)?.users.size).toBe(3);
  });

  it("has no space of a generation whose items could not be filled, until that goes well", async () => {
    const found = await open();
    let fails = true;
    const vector = (): Float32Array => {
      if (fails) throw new Error("no vectors");
      return new Float32Array(16).fill(1);
    };
    const itemVectors = { dims: 16, vector, outputs: { dims: 16, itemsBy: "output" as const, vector } };
    const trained = { ref: ONE, itemVectors } as unknown as typeof one;
    await expect(found.add(trained)).rejects.toThrow("no vectors");
    expect(found.generations()).toEqual([REF.generation]);
    fails = false;
    expect((await found.add(trained)).items?.outputs.size).toBe(3);
  });

  it("gives up a space while it is being saved", async () => {
    const found = await open();
    const { users } = await found.add(one);
    users.upsert({ ordinals: Uint32Array.of(0, 1), vectors: new Float32Array(32).fill(1) });
    const saving = found.save();
    // It has begun with the first, and this one is still to be written.
    while (!existsSync(join(config.dataDir, "index"))) await nextTurn();
    await found.drop(ONE.generation);
    await saving;
    await found.save();
    expect(await readdir(join(config.dataDir, "index"))).toHaveLength(2);
  });

  it("fills a generation that has no files from the rows when it is reopened", async () => {
    partitions = [await OwnedPartition.open(0, undefined, [REF, ONE])];
    const [only] = partitions as [OwnedPartition];
    await only.take(activate(1), event("a", "i1", 1), event("b", "i2", 2));
    await only.take(event("c", "i1", 3));
    await only.take(event("d", "i1", 4));
    const saved = await (await open()).save();
    await only.replica.snapshot(saved.get(only.replica.partition) as Offset);
    await index?.close();
    lines.length = 0;
    const sources = [only.replica];
    index = await SearchIndex.open({ config, live: [...LIVE, one], serving: REF.generation, sources, log });
    expect(reopened()).toBe(true);
    expect(index.space(ONE.generation)?.users.size).toBe(4);
  });

  it("still has to save what a save that failed was to", async () => {
    const [first] = partitions as [OwnedPartition];
    const found = await open();
    await found.add(one);
    await found.save();
    for (const batch of await first.take(erase("p0-2", 30))) found.publish(batch);
    const [at, aside] = [join(config.dataDir, "index"), join(config.dataDir, "aside")];
    const failing = async (): Promise<void> => {
      await rename(at, aside);
      await writeFile(at, "no directory");
      await expect(found.save()).rejects.toMatchObject({ code: "STORAGE_FAILED" });
      await rm(at);
      await rename(aside, at);
    };
    await failing();
    expect(found.saveDue).toBe(true);
    await found.save();
    expect(found.saveDue).toBe(false);
    await found.drop(ONE.generation);
    await failing();
    await found.save();
    expect(await readdir(at)).toHaveLength(2);
  });
});
