import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ItemVectors, OutputVectors } from "../schemas/catalogue.js";
import { KindredError } from "../schemas/errors.js";
import type { Generation, ItemId } from "../schemas/ids.js";
import type { ItemEngines, Metric, ReadModelReader } from "../schemas/ports/read-model.js";
import type { Position } from "../schemas/position.js";
import { hasShards, openShards, saveShards } from "./shards/shard-files.js";
import { type PublisherSettings, type PublisherStats, ShardPublisher } from "./shards/shard-publisher.js";
import { EmbeddedEngine, type EmbeddedEngineSettings } from "./vector-engine/embedded-engine.js";
import { checkVectorBatch } from "./vector-engine/search-arguments.js";

type NumberedItems = Pick<ReadModelReader, "itemCount" | "itemIds">;

/** Items looked up in one step: bounds the memory of their vectors. */
const ITEMS_A_STEP = 8_192;

/** Item vectors that come with a table to score against. */
export type TrainedVectors = ItemVectors & { readonly outputs: OutputVectors };

export const isTrained = (vectors: ItemVectors): vectors is TrainedVectors => vectors.outputs !== undefined;

export interface ItemShardsSettings {
  readonly generation: Generation;
  readonly vectors: TrainedVectors;
  readonly engine?: Pick<EmbeddedEngineSettings, "shards" | "storage" | "driftCosine" | "ef" | "scanRowsPerEf" | "longestShare">;
  readonly publisher?: PublisherSettings;
}

/** Vectors of items by ordinal, row-major; a row of zeros takes the item out. */
export interface ItemBatch {
  readonly ordinals: Uint32Array;
  readonly outputs: Float32Array;
  /** For i2i; not looked at where the model compares items by their outputs. */
  readonly inputs: Float32Array;
}

type TableName = "outputs" | "inputs";

/** One table of the model behind an engine of its own. */
interface Table {
  readonly name: TableName;
  readonly engine: EmbeddedEngine;
  readonly publisher: ShardPublisher;
  readonly vectorOf: (item: ItemId) => ArrayLike<number> | undefined;
}

/**
 * A trained generation's items, searchable: output vectors by inner product for u2i and, where the model compares items by
 * cosine, input vectors for i2i. Ordinals are the read model's. What the model's tables say is the truth: an item gets its
 * vectors when the read model numbers it, and shards that are reopened are completed from the tables.
 * One thread writes; others attach to the engines by handle.
 */
export class ItemShards implements ItemEngines {
  readonly generation: Generation;
  readonly outputs: EmbeddedEngine;
  readonly alike: EmbeddedEngine;
  readonly #dims: number;
  readonly #tables: readonly Table[];
  /** Items below this ordinal were looked up in the model. */
  #followed = 0;
  readonly #unknown: number[] = [];
  #changed = true;

  private constructor(settings: ItemShardsSettings, engines: ReadonlyMap<TableName, EmbeddedEngine>) {
    const { generation, vectors, publisher } = settings;
    this.generation = generation;
    this.#dims = vectors.dims;
    this.#tables = [...engines].map(([name, engine]) => ({
      name,
      engine,
      publisher: new ShardPublisher(engine, {
        ...publisher,
        onSwap: (swap) => {
          this.#changed = true;
          publisher?.onSwap?.(swap);
        },
      }),
      vectorOf: (item) => (name === "outputs" ? vectors.outputs : vectors).vector(item),
    }));
    this.outputs = engines.get("outputs") as EmbeddedEngine;
    this.alike = engines.get("inputs") ?? this.outputs;
  }

  /** Empty ones; `follow` fills them. @throws KindredError INVALID_ARGUMENT, ADDON_MISSING */
  static create(settings: ItemShardsSettings): ItemShards {
    const { generation, vectors, engine } = settings;
    const { dims } = vectors;
    return new ItemShards(
      settings,
      new Map(tablesOf(settings).map((name) => [name, EmbeddedEngine.create({ ...engine, dims, metric: METRICS[name], generation })])),
    );
  }

  /**
   * As they were saved, with their graphs; undefined where nothing was. `follow` completes them.
   * @param ordinalsOf see OpenSettings of shard-files.ts
   * @throws KindredError SHARD_CORRUPT: damaged, or of another generation, size, storage or number of shards than wanted
   */
  static async open(
    directory: string,
    settings: ItemShardsSettings,
    ordinalsOf: (items: readonly string[]) => Uint32Array,
  ): Promise<ItemShards | undefined> {
    if (!tablesOf(settings).every((name) => hasShards(join(directory, name)))) return undefined;
    const { shards: _, storage: __, ...tuning } = settings.engine ?? {};
    const engines = new Map<TableName, EmbeddedEngine>();
    try {
      for (const name of tablesOf(settings)) {
        const { engine } = await openShards(join(directory, name), { ...tuning, ordinalsOf });
        engines.set(name, engine);
        checkFits(engine, name, settings);
      }
    } catch (error) {
      for (const engine of engines.values()) await engine.close();
      throw error;
    }
    const opened = new ItemShards(settings, engines);
    opened.#changed = false;
    return opened;
  }

  /**
   * Gives items that were numbered since the last call their vectors; returns how many got any. Those that have one keep it.
   * @param most items that are looked at
   */
  follow(items: NumberedItems, most = Number.POSITIVE_INFINITY): number {
    const count = Math.min(items.itemCount(), this.#followed + most);
    let given = 0;
    while (this.#followed < count) {
      const from = this.#followed;
      const ordinals = Uint32Array.from({ length: Math.min(ITEMS_A_STEP, count - from) }, (_, i) => from + i);
      const ids = items.itemIds(ordinals);
      given += Math.max(...this.#tables.map((table) => fill(table, ordinals, ids, this.#dims)));
      const { vectorOf } = this.#tables[0] as Table;
      for (const [i, id] of ids.entries()) if (vectorOf(id) === undefined) this.#unknown.push(ordinals[i] as number);
      this.#followed = from + ordinals.length;
    }
    if (given > 0) this.#changed = true;
    return given;
  }

  /** Items that the model gives no output vector, ascending, of those that were followed. Only grows. */
  get unknown(): readonly number[] {
    return this.#unknown;
  }

  /** As `follow`, for many: others have their turn meanwhile. */
  async followAll(items: NumberedItems): Promise<void> {
    while (this.#followed < items.itemCount()) {
      this.follow(items, ITEMS_A_STEP);
      await nextTurn();
    }
  }

  /** @throws KindredError INVALID_ARGUMENT, nothing applied */
  upsert({ ordinals, ...given }: ItemBatch): void {
    for (const { name } of this.#tables) checkVectorBatch({ ordinals, vectors: given[name] }, this.#dims);
    for (const { name, engine } of this.#tables) engine.upsert({ ordinals, vectors: given[name] });
    this.#changed = true;
  }

  /** No longer found, until they are given vectors again. */
  remove(ordinals: Uint32Array): void {
    for (const { engine } of this.#tables) engine.remove(ordinals);
    this.#changed = true;
  }

  /** Whether there is something to save. */
  get changed(): boolean {
    return this.#changed;
  }

  get hasGraphs(): boolean {
    return this.#tables.some(({ engine }) => engine.stats().shards.some(({ nodes }) => nodes > 0));
  }

  /** Begins to build graphs in the background. */
  start(): void {
    for (const { publisher } of this.#tables) publisher.start();
  }

  /** Whether every shard that is to have a graph has one, which is verified. */
  get complete(): boolean {
    return this.#tables.every(({ publisher }) => publisher.complete);
  }

  /** Builds and swaps what is due now; resolves when that is done. Never rejects. */
  async check(): Promise<void> {
    for (const { publisher } of this.#tables) await publisher.check();
  }

  /** By table. */
  stats(): { readonly name: TableName; readonly engine: EmbeddedEngine; readonly publisher: PublisherStats }[] {
    return this.#tables.map(({ name, engine, publisher }) => ({ name, engine, publisher: publisher.stats() }));
  }

  /** Saves what changed since the last time; nothing where nothing did. @throws KindredError STORAGE_FAILED: the last save stays good */
  async save(directory: string, settings: { positions: Position; idsOf(ordinals: Uint32Array): readonly string[] }): Promise<void> {
    if (!this.#changed) return;
    this.#changed = false;
    try {
      for (const { name, engine } of this.#tables) await saveShards(engine, join(directory, name), settings);
    } catch (error) {
      this.#changed = true;
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const { publisher } of this.#tables) publisher.stop();
    for (const { engine } of this.#tables) await engine.close();
    for (const { publisher } of this.#tables) await publisher.settled();
  }
}

const METRICS: Readonly<Record<TableName, Metric>> = { outputs: "inner-product", inputs: "cosine" };

const tablesOf = ({ vectors }: ItemShardsSettings): readonly TableName[] =>
  vectors.outputs.itemsBy === "input-cosine" ? ["outputs", "inputs"] : ["outputs"];

/** The vectors of those among the items that have none in the table's engine yet. */
function fill({ engine, vectorOf }: Table, ordinals: Uint32Array, ids: readonly ItemId[], dims: number): number {
  const vectors = new Float32Array(ordinals.length * dims);
  const filled: number[] = [];
  for (const [i, id] of ids.entries()) {
    const ordinal = ordinals[i] as number;
    const vector = vectorOf(id);
    if (vector === undefined || engine.vector(ordinal) !== undefined) continue;
    vectors.set(vector, filled.length * dims);
    filled.push(ordinal);
  }
  if (filled.length > 0) engine.upsert({ ordinals: Uint32Array.from(filled), vectors: vectors.subarray(0, filled.length * dims) });
  return filled.length;
}

/** Another space must never be searched as this one. */
function checkFits(engine: EmbeddedEngine, name: TableName, { generation, vectors, engine: wanted }: ItemShardsSettings): void {
  const { shards = 1, storage = "float32" } = wanted ?? {};
  const fits =
    engine.generation === generation &&
    engine.dims === vectors.dims &&
    engine.metric === METRICS[name] &&
    engine.shards === shards &&
    engine.storage === storage;
  if (!fits)
    throw new KindredError(
      "SHARD_CORRUPT",
      `the saved item vectors are of generation ${engine.generation}, ${engine.dims} dimensions, ${engine.metric}, ${engine.storage} in ${engine.shards} shards; wanted are ${generation}, ${vectors.dims}, ${METRICS[name]}, ${storage} in ${shards}`,
      name,
    );
}
