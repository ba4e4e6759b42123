import type { IndexFiles } from "../../index/index-files.js";
import { ItemShards, type ItemShardsSettings, isTrained } from "../../index/item-shards.js";
import type { NativeReadModel } from "../../index/read-model/native-read-model.js";
import { publisherSettings } from "../../index/shards/publisher-settings.js";
import type { Swap } from "../../index/shards/shard-publisher.js";
import type { GenerationRef, ItemVectors } from "../../schemas/catalogue.js";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { IndexShardRows } from "../../schemas/ports/admin.js";
import type { Log } from "../../schemas/ports/log.js";
import { buildsGraphs } from "./vector-engines.js";

export interface ItemShardsOptions {
  readonly config: Config;
  readonly ref: GenerationRef;
  /** Of `ref`. Where they come with output vectors, items are searched by them. */
  readonly itemVectors: ItemVectors;
  readonly log: Log;
  readonly onSwap?: (swap: Swap) => void;
}

/**
 * The items of a generation whose model has output vectors, to be completed with what the read model knows; undefined where it has none.
 * @param files where they may have been saved; undefined to begin with empty ones
 */
export async function openItemShards(
  options: ItemShardsOptions,
  files: IndexFiles | undefined,
  model: NativeReadModel,
): Promise<ItemShards | undefined> {
  const { itemVectors, ref, config, log, onSwap } = options;
  if (!isTrained(itemVectors)) return undefined;
  const { ef, driftCosine, shards, storage } = config.index;
  const settings: ItemShardsSettings = {
    generation: ref.generation,
    vectors: itemVectors,
    engine: { ef, driftCosine, shards, storage },
    publisher: {
      ...publisherSettings(config.index),
      onSwap: (swap) => {
        log.info({ ...swap }, "a shard of items has a new graph");
        onSwap?.(swap);
      },
      onTuned: (tuned) => log.info({ ...tuned }, "ef of items was moved"),
      onError: (err) => log.warn({ err }, "work on the graphs of items failed; what is there goes on"),
    },
  };
  return (files && (await openSaved(files, settings, model, options))) ?? ItemShards.create(settings);
}

/** A damaged shard costs time, never an answer: it is filled anew. Where no graphs are built a saved one is not taken either. */
async function openSaved(
  files: IndexFiles,
  settings: ItemShardsSettings,
  model: NativeReadModel,
  { config, ref, log }: ItemShardsOptions,
): Promise<ItemShards | undefined> {
  try {
    const saved = await ItemShards.open(files.itemsDirectory(ref), settings, files.itemOrdinalsOf(model));
    if (saved === undefined || buildsGraphs(config) || !saved.hasGraphs) return saved;
    await saved.close();
  } catch (err) {
    if (!(err instanceof KindredError)) throw err;
    log.warn({ err, code: err.code }, "the saved items cannot be used and are made anew from the model");
  }
  return undefined;
}

/** Rows by shard, for metrics. */
export function itemRows(items: ItemShards | undefined): IndexShardRows[] {
  return (items?.stats() ?? []).flatMap(({ name, engine }) =>
    engine.stats().shards.map(({ rows }, shard) => ({ shard: `item-${name}-${engine.generation}-${shard}`, rows })),
  );
}
