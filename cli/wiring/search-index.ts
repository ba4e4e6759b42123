import { existsSync } from "node:fs";
import { join } from "node:path";
import { IndexFiles, type SavedIndex } from "../../index/index-files.js";
import type { ItemShards } from "../../index/item-shards.js";
import { NativeReadModel } from "../../index/read-model/native-read-model.js";
import { publisherSettings } from "../../index/shards/publisher-settings.js";
import { type PublisherStats, ShardPublisher } from "../../index/shards/shard-publisher.js";
import { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import { KindredError } from "../../schemas/errors.js";
import type { ItemId, Offset } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { FingerprintBandCounts, IndexShardRows } from "../../schemas/ports/admin.js";
import type { FoldedBatch } from "../../schemas/ports/folded-batch.js";
import type { PublishedRows, RowSource } from "../../schemas/ports/row-source.js";
import { covers, formatPosition, type Position } from "../../schemas/position.js";
import type { RowPublisher } from "../../streams/operators/publish-rows.js";
import { type ItemShardsOptions, itemRows, openItemShards } from "./open-item-shards.js";
import { buildsGraphs } from "./vector-engines.js";

/** Side information handed to the read model in one call. */
const INFOS_A_CALL = 4_096;
const NOTHING = 0 as Offset;

export interface SearchIndexOptions extends ItemShardsOptions {
  /** Whose rows are searched: one a partition, and no partition twice. */
  readonly sources: readonly RowSource[];
  /** Told whose vectors were written or removed, before it counts as applied. */
  readonly onMoved?: (ordinals: Uint32Array) => void;
}

/** What recall searches: the read model and the vectors of one generation, in the addon's memory. One thread writes it. */
export class SearchIndex implements RowPublisher {
  private readonly publisher: ShardPublisher;
  private saved: Position;
  private stale = false;
  /** A graph was swapped since the last save. */
  private swapped = false;

  private constructor(
    readonly model: NativeReadModel,
    readonly engine: EmbeddedEngine,
    private readonly files: IndexFiles,
    private readonly options: SearchIndexOptions,
    saved: Position,
    /** Items by vector; undefined where the model has no output vectors. */
    readonly items: ItemShards | undefined,
  ) {
    this.saved = saved;
    this.publisher = new ShardPublisher(engine, {
      ...publisherSettings(options.config.index),
      onSwap: (swap) => {
        this.swapped = true;
        options.log.info({ ...swap }, "a shard has a new graph");
        options.onSwap?.(swap);
      },
      onTuned: (tuned) => options.log.info({ ...tuned }, "ef was moved"),
      onError: (err) => options.log.warn({ err }, "work on the graphs failed; what is there goes on"),
    });
  }

  /**
   * As it was saved, each partition caught up with who changed since; where one of them cannot be, filled with every row of all. An
   * engine that is to have no graph here takes no saved one: it would navigate by it.
   */
  static async open(options: SearchIndexOptions): Promise<SearchIndex> {
    const { config, ref, sources, log } = options;
    const limits = { bucketCap: config.fingerprint.bucketCap };
    const files = new IndexFiles(join(config.dataDir, "index"), ref, limits);
    const { ef, driftCosine, shards, storage } = config.index;
    const saved = await openSaved(files, { ef, driftCosine }, options);
    const fits =
      saved?.engine.shards === shards &&
      saved.engine.storage === storage &&
      (buildsGraphs(config) || saved.engine.stats().shards.every(({ nodes }) => nodes === 0));
    const changed = fits ? changesSince(saved.position, sources) : undefined;
    if (saved && changed) {
      log.info({ savedAt: formatPosition(saved.position), appliedAt: formatPosition(positionOf(sources)) }, "the saved index is reopened");
      const items = await openItemShards(options, files.itemsDirectory, saved.model);
      return new SearchIndex(saved.model, saved.engine, files, options, saved.position, items).filled(changed);
    }
    await saved?.engine.close();
    saved?.model.close();
    const model = NativeReadModel.create(limits);
    const { dims, generation } = ref;
    const empty = EmbeddedEngine.create({ dims, metric: "cosine", generation, ef, shards, storage, driftCosine });
    const items = await openItemShards(options, undefined, model);
    const index = new SearchIndex(model, empty, files, options, new Map(), items);
    index.stale = existsSync(join(config.dataDir, "index"));
    return index.filled(sources.map((source) => [source, source.scanRows()]));
  }

  /** Begins to rebuild shards in the background, where they have graphs. */
  start(): void {
    if (!buildsGraphs(this.options.config)) return;
    this.publisher.start();
    this.items?.start();
  }

  /** Makes a committed micro-batch recallable. */
  publish(folded: FoldedBatch): void {
    const moved = this.apply(folded, folded);
    this.options.onMoved?.(moved);
    this.model.setApplied(folded.partition, folded.endOffset, folded.eventTime);
  }

  async putItems(items: AsyncIterable<ItemInfo> | Iterable<ItemInfo>): Promise<void> {
    let ids: ItemId[] = [];
    let json: string[] = [];
    const flush = (): void => {
      if (ids.length > 0) this.model.putItemInfo(ids, json);
      [ids, json] = [[], []];
      this.items?.follow(this.model);
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
    const vectors = this.engine
      .stats()
      .shards.map(({ rows }, shard) => ({ shard: `user-vectors-${this.engine.generation}-${shard}`, rows }));
    return [{ shard: "users", rows: users }, { shard: "fingerprints", rows: fingerprints }, ...vectors, ...itemRows(this.items)];
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

  /** Of the users' publisher; the CPU of measuring also of the items'. */
  stats(): PublisherStats {
    const users = this.publisher.stats();
    const items = (this.items?.stats() ?? []).map(({ publisher }) => publisher.measureCpuSeconds);
    return { ...users, measureCpuSeconds: items.reduce((sum, seconds) => sum + seconds, users.measureCpuSeconds) };
  }

  /** Saves what changed since the last time. @returns up to where everything is in the files. @throws KindredError STORAGE_FAILED: the last save stays good */
  async save(): Promise<Position> {
    const moved = !covers(this.saved, this.model.applied().position);
    if (!moved && !this.swapped && this.items?.changed !== true) return this.saved;
    // Who is erased while it saves may still be in what is written, and a graph that is swapped then is not.
    const { stale, swapped } = this;
    this.stale = this.swapped = false;
    try {
      this.saved = await this.files.save(this.model, this.engine, this.items);
    } catch (error) {
      this.stale ||= stale;
      this.swapped ||= swapped;
      throw error;
    }
    return this.saved;
  }

  async close(): Promise<void> {
    this.publisher.stop();
    await this.engine.close();
    await this.publisher.settled();
    await this.items?.close();
    this.model.close();
  }

  private async filled(all: readonly RowsOfSource[]): Promise<this> {
    for (const [{ partition, appliedOffset, eventTime }, batches] of all) {
      for await (const rows of batches) this.apply(rows, { partition, endOffset: appliedOffset, eventTime });
      this.model.setApplied(partition, appliedOffset, eventTime);
    }
    return this;
  }

  /** @returns whose vectors were written or removed */
  private apply({ rows, erased, vectors }: PublishedRows, at: Pick<FoldedBatch, "partition" | "endOffset" | "eventTime">): Uint32Array {
    if (erased.length > 0) this.stale = true;
    // The ordinals go with the ids: an erased user's must be known before the read model forgets them.
    const gone = erased.flatMap((user) => this.model.userOrdinal(user) ?? []);
    const ordinals = this.model.apply({ partition: at.partition, offset: at.endOffset, eventTime: at.eventTime, rows, erased });
    this.items?.follow(this.model);
    if (gone.length > 0) this.engine.remove(Uint32Array.from(gone));
    const own = vectors.find(({ generation, dims }) => generation === this.engine.generation && dims === this.engine.dims);
    if (own && rows.length > 0) this.engine.upsert({ ordinals, vectors: own.values });
    return Uint32Array.from([...gone, ...ordinals]);
  }
}

type RowsOfSource = readonly [RowSource, AsyncIterable<PublishedRows>];

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

/** A damaged index costs time, never an answer: it is filled anew. */
async function openSaved(
  files: IndexFiles,
  settings: { ef: number; driftCosine: number },
  { ref, log }: SearchIndexOptions,
): Promise<SavedIndex | undefined> {
  try {
    const saved = await files.open(settings);
    if (saved && saved.engine.dims !== ref.dims)
      throw new KindredError("SHARD_CORRUPT", `the saved vectors have ${saved.engine.dims} dimensions where ${ref.dims} are expected`);
    return saved;
  } catch (err) {
    if (!(err instanceof KindredError) || err.code === "DIRECTORY_NEWER") throw err;
    log.warn({ err, code: err.code }, "the saved index cannot be used and is made anew from the rows");
    return undefined;
  }
}
