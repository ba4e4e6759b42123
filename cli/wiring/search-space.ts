import type { IndexFiles, SpaceParts } from "../../index/index-files.js";
import type { ItemShards } from "../../index/item-shards.js";
import { NewItems } from "../../index/new-items.js";
import type { NativeReadModel } from "../../index/read-model/native-read-model.js";
import { publisherSettings } from "../../index/shards/publisher-settings.js";
import { type PublisherStats, ShardPublisher } from "../../index/shards/shard-publisher.js";
import { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import type { GenerationRef } from "../../schemas/catalogue.js";
import { KindredError } from "../../schemas/errors.js";
import type { Generation } from "../../schemas/ids.js";
import type { IndexShardRows } from "../../schemas/ports/admin.js";
import type { PublishedRows } from "../../schemas/ports/row-source.js";
import type { Position } from "../../schemas/position.js";
import { modelStoreOf } from "./item-vectors.js";
import { type ItemShardsOptions, itemRows, openItemShards } from "./open-item-shards.js";
import { buildsGraphs } from "./vector-engines.js";

export type SpaceOptions = ItemShardsOptions;

/**
 * One generation's vectors, searchable: users by what is pooled of its input vectors, and the items of a trained model. It is kept up to
 * date whether it answers or not, so that answering with another one is one assignment.
 */
export class SearchSpace implements SpaceParts {
  private readonly publisher: ShardPublisher;
  /** A graph was swapped since the last save, or there was none. */
  private swapped: boolean;
  /** Items that were known before it was there get their vectors step by step. */
  private filling = false;

  private constructor(
    private readonly options: SpaceOptions,
    readonly users: EmbeddedEngine,
    readonly items: ItemShards | undefined,
    /** Up to where its files have everything; undefined: there are none. */
    readonly savedAt: Position | undefined,
    /** Items that the model does not know; undefined where it says nothing of such. */
    private readonly newItems: NewItems | undefined,
  ) {
    this.swapped = savedAt === undefined;
    const { config, log, onSwap, ref } = options;
    const { generation } = ref;
    this.publisher = new ShardPublisher(users, {
      ...publisherSettings(config.index),
      onSwap: (swap) => {
        this.swapped = true;
        log.info({ ...swap, generation }, "a shard has a new graph");
        onSwap?.(swap);
      },
      onTuned: (tuned) => log.info({ ...tuned, generation }, "ef was moved"),
      onError: (err) => log.warn({ err, generation }, "work on the graphs failed; what is there goes on"),
    });
  }

  /** As its files have it, to be caught up from `savedAt`; empty where there are none that can be used. */
  static async open(options: SpaceOptions, files: IndexFiles, model: NativeReadModel): Promise<SearchSpace> {
    const saved = await savedUsers(options, files, model);
    if (!saved) return SearchSpace.create(options, model);
    const items = await openItemShards(options, files, model);
    return new SearchSpace(options, saved.engine, items, saved.position, await newItemsOf(options, saved.engine, items, model));
  }

  static async create(options: SpaceOptions, model: NativeReadModel): Promise<SearchSpace> {
    const { ef, driftCosine, shards, storage } = options.config.index;
    const { dims, generation } = options.ref;
    const users = EmbeddedEngine.create({ dims, metric: "cosine", generation, ef, shards, storage, driftCosine });
    const items = await openItemShards(options, undefined, model);
    return new SearchSpace(options, users, items, undefined, await newItemsOf(options, users, items, model));
  }

  get ref(): GenerationRef {
    return this.options.ref;
  }

  get generation(): Generation {
    return this.options.ref.generation;
  }

  get itemVectors(): SpaceOptions["itemVectors"] {
    return this.options.itemVectors;
  }

  /** Items that are known by now get their vectors, while others have their turn. */
  async fillItems(model: NativeReadModel): Promise<void> {
    this.filling = true;
    try {
      await this.items?.followAll(model);
    } finally {
      this.filling = false;
    }
  }

  /** Items that the read model has numbered since. */
  followItems(model: NativeReadModel): void {
    if (!this.filling) this.items?.follow(model);
  }

  /** Some of the items that the model does not know get vectors of what is known of them. */
  lookAtNewItems(most: number): void {
    if (!this.filling) this.newItems?.look(most);
  }

  /** @param gone users who are erased; @param ordinals of the rows */
  apply({ vectors, rows }: Pick<PublishedRows, "vectors" | "rows">, gone: Uint32Array, ordinals: Uint32Array): void {
    if (gone.length > 0) this.users.remove(gone);
    const { generation, dims } = this.ref;
    const own = vectors.find((one) => one.generation === generation && one.dims === dims);
    if (own && rows.length > 0) this.users.upsert({ ordinals, vectors: own.values });
  }

  /** Begins to build graphs in the background, where there are any. */
  start(): void {
    if (!buildsGraphs(this.options.config)) return;
    for (const publisher of [this.publisher, this.items]) {
      publisher?.start();
      // What is due now need not wait for the first look.
      void publisher?.check();
    }
  }

  /** Whether every shard that is to have a graph has one, verified against exact scans. */
  get complete(): boolean {
    return !buildsGraphs(this.options.config) || (this.publisher.complete && this.items?.complete !== false);
  }

  get changed(): boolean {
    return this.swapped || this.items?.changed === true;
  }

  /** Told around a save: a graph that is swapped meanwhile is not in it. */
  saving(): () => void {
    const { swapped } = this;
    this.swapped = false;
    return () => {
      this.swapped ||= swapped;
    };
  }

  /** Rows by shard, for metrics. */
  shards(): IndexShardRows[] {
    const { shards } = this.users.stats();
    return [...shards.map(({ rows }, shard) => ({ shard: `user-vectors-${this.generation}-${shard}`, rows })), ...itemRows(this.items)];
  }

  /** Of the users' publisher; the CPU of measuring also of the items'. */
  stats(): PublisherStats {
    const users = this.publisher.stats();
    const items = (this.items?.stats() ?? []).map(({ publisher }) => publisher.measureCpuSeconds);
    return { ...users, measureCpuSeconds: items.reduce((sum, seconds) => sum + seconds, users.measureCpuSeconds) };
  }

  /** Its memory goes when nobody is attached to it any more. */
  async close(): Promise<void> {
    this.publisher.stop();
    await this.users.close();
    await this.publisher.settled();
    await this.items?.close();
  }
}

/** Without them a generation answers all the same, but for what is new. */
async function newItemsOf(
  { config, ref, log }: SpaceOptions,
  users: EmbeddedEngine,
  items: ItemShards | undefined,
  readModel: NativeReadModel,
): Promise<NewItems | undefined> {
  if (items === undefined) return undefined;
  try {
    const provisional = await modelStoreOf(config).newItems(ref);
    if (provisional === undefined) return undefined;
    const userVector = (ordinal: number): Float32Array | undefined => users.vector(ordinal);
    return new NewItems({ dims: ref.dims, items, userVector, readModel, vectorsOf: (item) => provisional.vectorsOf(item) });
  } catch (err) {
    if (!(err instanceof KindredError)) throw err;
    log.warn({ err, generation: ref.generation }, "new items get no vectors: what the model says of them cannot be read");
    return undefined;
  }
}

/** A damaged space costs time, never an answer: it is filled anew. One that is to have no graph here takes none: it would navigate by it. */
async function savedUsers(
  { config, ref, log }: SpaceOptions,
  files: IndexFiles,
  model: NativeReadModel,
): Promise<{ engine: EmbeddedEngine; position: Position } | undefined> {
  try {
    const { ef, driftCosine, shards, storage } = config.index;
    const saved = await files.openUsers(ref, { ef, driftCosine }, model);
    if (!saved) return undefined;
    const { engine } = saved;
    const fits =
      engine.shards === shards &&
      engine.storage === storage &&
      (buildsGraphs(config) || engine.stats().shards.every(({ nodes }) => nodes === 0));
    const same = engine.dims === ref.dims && engine.generation === ref.generation && engine.metric === "cosine";
    if (fits && same) return saved;
    await engine.close();
    if (!same)
      throw new KindredError("SHARD_CORRUPT", `the saved vectors are of generation ${engine.generation} with ${engine.dims} dimensions`);
  } catch (err) {
    if (!(err instanceof KindredError) || err.code === "DIRECTORY_NEWER") throw err;
    log.warn(
      { err, code: err.code, generation: ref.generation },
      "the saved vectors of a generation cannot be used and are made anew from the rows",
    );
  }
  return undefined;
}
