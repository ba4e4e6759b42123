import { existsSync } from "node:fs";
import { join } from "node:path";
import { allHave, IndexFiles } from "../../index/index-files.js";
import { NativeReadModel } from "../../index/read-model/native-read-model.js";
import type { PublisherStats } from "../../index/shards/shard-publisher.js";
import type { GenerationRef, ItemVectors } from "../../schemas/catalogue.js";
import { KindredError } from "../../schemas/errors.js";
import type { CatalogueNumber, Generation, ItemId, Offset, Partition } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { FingerprintBandCounts, IndexShardRows } from "../../schemas/ports/admin.js";
import type { FoldedBatch, RowsAre } from "../../schemas/ports/folded-batch.js";
import type { PublishedRows, RowSource } from "../../schemas/ports/row-source.js";
import { covers, formatPosition, type Position } from "../../schemas/position.js";
import type { RowPublisher } from "../../streams/operators/publish-rows.js";
import { SearchSpace, type SpaceOptions } from "./search-space.js";

/** Side information handed to the read model in one call. */
const INFOS_A_CALL = 4_096;
const NOTHING = 0 as Offset;
/** How often items are looked at that a model does not know, and how many of each space: some milliseconds of this thread. */
const NEW_ITEMS_EVERY_MS = 500;
const NEW_ITEMS_A_LOOK = 500;

/** A live generation, and the vectors that its users pool. */
export interface LiveSpace {
  readonly ref: GenerationRef;
  readonly itemVectors: ItemVectors;
}

export interface SearchIndexOptions extends Omit<SpaceOptions, keyof LiveSpace> {
  readonly live: readonly LiveSpace[];
  /** One of them. */
  readonly serving: Generation;
  /** Whose rows are searched: one a partition, and no partition twice. */
  readonly sources: readonly RowSource[];
  /** Told whose vectors were written or removed, before it counts as applied. */
  readonly onMoved?: (ordinals: Uint32Array) => void;
}

/** What recall searches: the read model and a space for each live generation, in the addon's memory. One thread writes it. */
export class SearchIndex implements RowPublisher {
  private readonly spaces = new Map<Generation, SearchSpace>();
  /** Under way, by generation. */
  private readonly adding = new Map<Generation, Promise<SearchSpace>>();
  private serves: SearchSpace;
  private saved: Position = new Map();
  private stale = false;
  private readonly rows = new Map<Partition, RowsAre>();
  /** Generations came or went since the last save. */
  private otherSpaces = false;
  private saving: Promise<unknown> = Promise.resolve();
  private looking: NodeJS.Timeout | undefined;

  private constructor(
    readonly model: NativeReadModel,
    spaces: readonly SearchSpace[],
    private readonly files: IndexFiles,
    private readonly options: SearchIndexOptions,
  ) {
    for (const space of spaces) this.spaces.set(space.generation, space);
    this.serves = this.space(options.serving) ?? noSuch(options.serving);
    for (const source of options.sources) this.rows.set(source.partition, source.summary());
  }

  /**
   * As it was saved, each partition caught up with who changed since; where one of them cannot be, filled with every row of all. So is a
   * generation that has no files.
   */
  static async open(options: SearchIndexOptions): Promise<SearchIndex> {
    const { config, sources, log, live } = options;
    const limits = { bucketCap: config.fingerprint.bucketCap };
    const files = new IndexFiles(join(config.dataDir, "index"), limits);
    const saved = await openModel(files, log);
    if (saved) {
      const spaces: SearchSpace[] = [];
      for (const one of live) spaces.push(await SearchSpace.open({ ...options, ...one }, files, saved));
      const there = spaces.flatMap(({ savedAt }) => savedAt ?? []);
      const position = allHave([saved.applied().position, ...there]);
      const changed = there.length > 0 ? changesSince(position, sources) : undefined;
      if (changed) {
        log.info({ savedAt: formatPosition(position), appliedAt: formatPosition(positionOf(sources)) }, "the saved index is reopened");
        const index = new SearchIndex(saved, spaces, files, options);
        index.saved = position;
        await index.fill(changed);
        // Who is gone is told by the changes only, and who is there by the rows only.
        if (there.length < spaces.length) await index.fill(allRows(sources));
        return index;
      }
      for (const space of spaces) await space.close();
      saved.close();
    }
    const model = NativeReadModel.create(limits);
    const spaces: SearchSpace[] = [];
    for (const one of live) spaces.push(await SearchSpace.create({ ...options, ...one }, model));
    const index = new SearchIndex(model, spaces, files, options);
    index.stale = existsSync(join(config.dataDir, "index"));
    await index.fill(allRows(sources));
    return index;
  }

  /** Begins to rebuild shards of the space that answers in the background, where they have graphs. */
  start(): void {
    this.serves.start();
    this.looking = setInterval(() => {
      for (const space of this.spaces.values()) space.lookAtNewItems(NEW_ITEMS_A_LOOK);
    }, NEW_ITEMS_EVERY_MS);
  }

  /** What answers. */
  get serving(): SearchSpace {
    return this.serves;
  }

  space(generation: Generation): SearchSpace | undefined {
    return this.spaces.get(generation);
  }

  /** Whether every row that is here is of the catalogue or a later one, so that its vectors in each of its generations are here too. */
  hasAllOf(catalogue: CatalogueNumber | 0): boolean {
    return [...this.rows.values()].every((rows) => rows.catalogue >= catalogue && !rows.migrating);
  }

  /** By partition: which catalogue its rows are of. */
  rowsAre(): RowsAre[] {
    return [...this.rows.values()];
  }

  generations(): Generation[] {
    return [...this.spaces.keys()];
  }

  /** A space for a generation, before the first batch that has its vectors; its items have theirs when this resolves. The one that is there, where there is one. */
  add(live: LiveSpace): Promise<SearchSpace> {
    const { generation } = live.ref;
    const there = this.space(generation);
    if (there) return Promise.resolve(there);
    // A second empty one would replace the first after rows went into it.
    const known = this.adding.get(generation);
    if (known) return known;
    const added = this.addNow(live).finally(() => this.adding.delete(generation));
    this.adding.set(generation, added);
    return added;
  }

  /** Answers with it from now on, in one step. */
  serve(generation: Generation): SearchSpace {
    this.serves = this.space(generation) ?? noSuch(generation);
    return this.serves;
  }

  /** Gives up a space that does not answer; its files go with the next save. */
  async drop(generation: Generation): Promise<void> {
    const space = this.space(generation);
    if (!space || space === this.serves) return;
    this.spaces.delete(generation);
    this.otherSpaces = true;
    // One under way may be writing it.
    await this.saving.catch(() => undefined);
    await space.close();
  }

  /** Makes a committed micro-batch recallable. */
  publish(folded: FoldedBatch): void {
    const moved = this.apply(folded, folded);
    this.rows.set(folded.partition, folded.rowsAre);
    this.options.onMoved?.(moved);
    this.model.setApplied(folded.partition, folded.endOffset, folded.eventTime);
  }

  async putItems(items: AsyncIterable<ItemInfo> | Iterable<ItemInfo>): Promise<void> {
    let ids: ItemId[] = [];
    let json: string[] = [];
    const flush = (): void => {
      if (ids.length > 0) this.model.putItemInfo(ids, json);
      [ids, json] = [[], []];
      for (const space of this.spaces.values()) space.followItems(this.model);
    };
    for await (const info of items) {
      ids.push(info.item);
      json.push(JSON.stringify(info));
      if (ids.length >= INFOS_A_CALL) flush();
    }
    flush();
  }

  /** Rows by shard, for metrics. */
  shards(): IndexShardRows[] {
    const { users, fingerprints } = this.model.stats();
    const vectors = [...this.spaces.values()].flatMap((space) => space.shards());
    return [{ shard: "users", rows: users }, { shard: "fingerprints", rows: fingerprints }, ...vectors];
  }

  /** How the fingerprints are spread over their buckets, for metrics. */
  bands(): FingerprintBandCounts {
    const { largestBucket, bucketsOverCap, staleBandEntries } = this.model.stats();
    return { largestBucket, bucketsOverCap, staleEntries: staleBandEntries };
  }

  /** Whether the files may hold users who are erased: they are to be replaced soon. */
  get saveDue(): boolean {
    return this.stale;
  }

  /** Of what answers. */
  stats(): PublisherStats {
    return this.serves.stats();
  }

  /** Saves what changed since the last time. @returns up to where everything is in the files. @throws KindredError STORAGE_FAILED: the last save stays good */
  save(): Promise<Position> {
    const saved = this.saving.catch(() => undefined).then(() => this.saveNow());
    this.saving = saved;
    saved.catch(() => undefined);
    return saved;
  }

  async close(): Promise<void> {
    clearInterval(this.looking);
    await Promise.allSettled(this.adding.values());
    for (const space of this.spaces.values()) await space.close();
    this.model.close();
  }

  private async addNow(live: LiveSpace): Promise<SearchSpace> {
    const space = await SearchSpace.create({ ...this.options, ...live }, this.model);
    try {
      await space.fillItems(this.model);
      // Those that were numbered since the last step; from here on it is told of them.
      space.followItems(this.model);
    } catch (error) {
      await space.close();
      throw error;
    }
    this.spaces.set(space.generation, space);
    this.otherSpaces = true;
    return space;
  }

  private async saveNow(): Promise<Position> {
    const spaces = [...this.spaces.values()];
    const moved = !covers(this.saved, this.model.applied().position);
    if (!moved && !this.otherSpaces && spaces.every(({ changed }) => !changed)) return this.saved;
    // Who is erased while it saves may still be in what is written, and a graph that is swapped then is not.
    const { stale, otherSpaces } = this;
    this.stale = this.otherSpaces = false;
    const undo = spaces.map((space) => space.saving());
    try {
      this.saved = await this.files.save(this.model, spaces);
    } catch (error) {
      this.stale ||= stale;
      this.otherSpaces ||= otherSpaces;
      for (const failed of undo) failed();
      throw error;
    }
    return this.saved;
  }

  private async fill(all: readonly RowsOfSource[]): Promise<void> {
    for (const [{ partition, appliedOffset, eventTime }, batches] of all) {
      for await (const rows of batches) this.apply(rows, { partition, endOffset: appliedOffset, eventTime });
      this.model.setApplied(partition, appliedOffset, eventTime);
    }
    for (const space of this.spaces.values()) space.followItems(this.model);
  }

  /** @returns whose vectors were written or removed */
  private apply(batch: PublishedRows, at: Pick<FoldedBatch, "partition" | "endOffset" | "eventTime">): Uint32Array {
    const { rows, erased } = batch;
    if (erased.length > 0) this.stale = true;
    // The ordinals go with the ids: an erased user's must be known before the read model forgets them.
    const gone = Uint32Array.from(erased.flatMap((user) => this.model.userOrdinal(user) ?? []));
    const ordinals = this.model.apply({ partition: at.partition, offset: at.endOffset, eventTime: at.eventTime, rows, erased });
    for (const space of this.spaces.values()) {
      space.followItems(this.model);
      space.apply(batch, gone, ordinals);
    }
    return Uint32Array.from([...gone, ...ordinals]);
  }
}

type RowsOfSource = readonly [RowSource, AsyncIterable<PublishedRows>];

const allRows = (sources: readonly RowSource[]): RowsOfSource[] => sources.map((source) => [source, source.scanRows()]);

/** What has to be applied on top of a saved index; undefined where that is not known for one of the partitions, or it has one that is not ours. */
function changesSince(saved: Position, sources: readonly RowSource[]): RowsOfSource[] | undefined {
  if ([...saved.keys()].some((partition) => sources.every((source) => source.partition !== partition))) return undefined;
  const changes: RowsOfSource[] = [];
  for (const source of sources) {
    const from = saved.get(source.partition) ?? NOTHING;
    const changed = from <= source.appliedOffset ? source.changedSince(from) : undefined;
    if (changed === undefined) return undefined;
    changes.push([source, changed]);
  }
  return changes;
}

const positionOf = (sources: readonly RowSource[]): Position =>
  new Map(sources.map(({ partition, appliedOffset }) => [partition, appliedOffset]));

function noSuch(generation: Generation): never {
  throw new KindredError("INTERNAL", `generation ${generation} has no vectors here`);
}

/** A damaged index costs time, never an answer: it is filled anew. */
async function openModel(files: IndexFiles, log: SearchIndexOptions["log"]): Promise<NativeReadModel | undefined> {
  try {
    return await files.openModel();
  } catch (err) {
    if (!(err instanceof KindredError) || err.code === "DIRECTORY_NEWER") throw err;
    log.warn({ err, code: err.code }, "the saved index cannot be used and is made anew from the rows");
    return undefined;
  }
}
