import { RandomIndexing } from "../../models/item-vectors/random-indexing.js";
import type { Catalogue } from "../../schemas/catalogue.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import type { CatalogueNumber, ItemId, Offset, Partition, UserId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { LogRecord, PositionedRecord } from "../../schemas/log-record.js";
import type { ChangelogWriter } from "../../schemas/ports/changelog.js";
import type { KeyValueStore, StoreWrite } from "../../schemas/ports/key-value-store.js";
import { buildCatalogue, generationZero } from "../../state/catalogue-builder.js";
import { type FoldNumbers, foldSettings } from "../../state/fold-settings.js";
import { PartitionState } from "../../state/partition-state.js";
import { MemoryCatalogues } from "../harness/memory-catalogues.js";
import { MemoryStore } from "../harness/memory-store.js";

export const DAY = 86_400_000;

export const catalogueOf = (number: number, numbers: Partial<FoldNumbers> = {}, items: readonly ItemInfo[] = [], dims = 8): Catalogue =>
  buildCatalogue(number as CatalogueNumber, { settings: foldSettings(numbers), items, generations: [generationZero(dims)] });

export const event = (user: string, item: string, day: number, rest: { action?: string; id?: string; value?: number } = {}): LogRecord => ({
  kind: "event",
  event: {
    user: user as UserId,
    item: item as ItemId,
    action: rest.action ?? "like",
    ts: Math.floor(day * DAY),
    ...(rest.id !== undefined && { id: rest.id }),
    ...(rest.value !== undefined && { value: rest.value }),
  } as BehaviourEvent,
});
export const erase = (user: string, day: number): LogRecord => ({ kind: "erase", user: user as UserId, at: day * DAY });
export const activate = (catalogue: number): LogRecord => ({ kind: "activate", catalogue: catalogue as CatalogueNumber });

/** Records at offsets from 1. */
export const positioned = (records: readonly LogRecord[]): PositionedRecord[] =>
  records.map((record, i) => ({ offset: (i + 1) as Offset, record }));

/** Writes that take their time, as a disk's do: what was folded meanwhile must not be read from the store. */
export class SlowStore extends MemoryStore {
  override async batch(writes: readonly StoreWrite[]): Promise<void> {
    const taken = writes.map((write) => (write.type === "put" ? { ...write, value: new Uint8Array(write.value) } : write));
    await new Promise((resolve) => setImmediate(resolve));
    return super.batch(taken);
  }
}

/** A partition in memory that tests can drive and reopen. */
export class TestPartition {
  state!: PartitionState;
  readonly catalogues = new MemoryCatalogues();

  private constructor(
    readonly store: KeyValueStore,
    readonly options: { cacheRows?: number; migrateRows?: number; changelog?: ChangelogWriter },
  ) {}

  static async open(
    catalogues: readonly Catalogue[],
    options: { cacheRows?: number; migrateRows?: number; changelog?: ChangelogWriter; store?: KeyValueStore } = {},
  ): Promise<TestPartition> {
    const { store, ...rest } = options;
    const partition = new TestPartition(store ?? new MemoryStore(), rest);
    for (const catalogue of catalogues) await partition.catalogues.put(catalogue);
    await partition.reopen();
    return partition;
  }

  async reopen(): Promise<void> {
    this.state = await PartitionState.open({
      store: this.store,
      partition: 0 as Partition,
      catalogues: this.catalogues,
      itemVectors: (ref) => RandomIndexing.of(ref),
      ...this.options,
    });
  }

  async run(records: readonly PositionedRecord[], batchSize = records.length): Promise<void> {
    for (let from = 0; from < records.length; from += Math.max(1, batchSize)) {
      const some = records.slice(from, from + batchSize);
      await this.state.commit(await this.state.fold(some, (some.at(-1) as PositionedRecord).offset));
    }
  }

  /** Folds nothing until every row is of the active catalogue. */
  async migrate(): Promise<void> {
    while (this.state.migrating) await this.state.commit(await this.state.fold([], this.state.appliedOffset));
  }

  get hash(): string {
    return this.state.summary().hash;
  }
}
