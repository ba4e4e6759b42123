import { createSkipGramTrainer, type SkipGramTrainer } from "../../native/skip-gram.js";
import { KindredError } from "../../schemas/errors.js";
import type { Histories, ItemModel, TrainingSet } from "../../schemas/model.js";
import { popularityOf } from "../training-set/histories.js";
import { typesOf } from "../training-set/training-set.js";
import { ITEM2VEC_ABOUT, ITEM2VEC_DEFAULTS, ITEM2VEC_RANGES, type Item2vecSettings, item2vecSettings } from "./item2vec-settings.js";
import type { ModelKind, Trained, TrainingOptions } from "./model-kind.js";
import { negativeTables } from "./negatives.js";
import { coded, runSkipGram } from "./run-trainer.js";

export const ITEM2VEC: ModelKind<Item2vecSettings> = {
  kind: "item2vec",
  summary: "vectors of items that are in the same histories (skip-gram with negative sampling)",
  defaults: ITEM2VEC_DEFAULTS,
  ranges: ITEM2VEC_RANGES,
  about: ITEM2VEC_ABOUT,
  train: trainItem2vec,
};

/**
 * item2vec: skip-gram with negative sampling, where a history is a set and all of it is context (Barkan, Koenigstein 2016). A user is the
 * mean of the input vectors of their items, and items are scored by their output vectors: input against input finds little.
 * Items that nobody has together with another item have no pair to learn from; their vectors are zeros, so that they are neither pooled nor found.
 * @throws KindredError INVALID_ARGUMENT where no user has two items, or the training diverges
 */
export async function trainItem2vec(set: TrainingSet, given: Partial<Item2vecSettings>, options: TrainingOptions = {}): Promise<Trained> {
  const settings = item2vecSettings(given);
  const { histories } = set;
  const together = itemsWithOthers(histories);
  if (!together.includes(1))
    throw new KindredError("INVALID_ARGUMENT", "no user has two items: there is nothing to learn from", "histories");
  const trainer = coded(() => trainerOf(set, settings, options));
  const { tables, ...trained } = await runSkipGram(trainer, settings, histories.users.length, options);
  const { dims } = settings;
  const model: ItemModel = {
    kind: "item2vec",
    items: histories.items,
    input: { dims, values: withoutAlone(tables.input, dims, together) },
    output: { dims, values: withoutAlone(tables.output, dims, together) },
    score: "dot",
  };
  return { ...trained, model };
}

function trainerOf(set: TrainingSet, settings: Item2vecSettings, options: TrainingOptions): SkipGramTrainer {
  const { histories } = set;
  const { dims, epochs, threads, seed, window, negatives, negativeWeight, rate, lastRate } = settings;
  const popularity = popularityOf(histories);
  const { weights, strata } = negativeTables(typesOf(set), popularity, settings.exponent, settings.strata);
  return createSkipGramTrainer({
    ...{ dims, epochs, threads, seed, negatives, negativeWeight, rate, lastRate, weights, strata },
    block: window,
    strataShare: settings.constrained,
    adagrad: settings.optimizer === "adagrad",
    plain: options.plain === true,
    starts: histories.starts,
    rows: histories.rows,
    keep: keepProbabilities(popularity, histories.rows.length, settings.sample),
  });
}

/** As word2vec's program has it: sqrt(t / f) + t / f for an item with share f of all interactions. */
export function keepProbabilities(popularity: Uint32Array, total: number, sample: number): Float32Array {
  return Float32Array.from(popularity, (count) => {
    const ratio = count === 0 ? 1 : (sample * total) / count;
    return sample === 0 ? 1 : Math.min(1, Math.sqrt(ratio) + ratio);
  });
}

/** 1 for each item that somebody has together with another. */
function itemsWithOthers({ items, starts, rows }: Histories): Uint8Array {
  const together = new Uint8Array(items.length);
  for (let user = 0; user + 1 < starts.length; user++) {
    const [from, to] = [starts[user]!, starts[user + 1]!];
    if (to - from > 1) for (let at = from; at < to; at++) together[rows[at]!] = 1;
  }
  return together;
}

function withoutAlone(table: Float32Array, dims: number, together: Uint8Array): Float32Array {
  const values = table.slice();
  for (const [row, has] of together.entries()) if (has === 0) values.fill(0, row * dims, (row + 1) * dims);
  return values;
}
