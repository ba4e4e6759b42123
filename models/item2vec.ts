import { createSkipGramTrainer, type SkipGramProgress, type SkipGramTables, type SkipGramTrainer } from "../native/skip-gram.js";
import { isErrorCode, KindredError } from "../schemas/errors.js";
import type { ItemId } from "../schemas/ids.js";
import type { Histories, ItemModel } from "../schemas/model.js";
import { popularityOf } from "./histories.js";
import { type Item2vecSettings, item2vecSettings } from "./item2vec-settings.js";
import { negativeTables, typeOfId } from "./negatives.js";

/** How far a training is. */
export interface TrainingProgress {
  /** Of the whole training, 0 to 1. */
  readonly share: number;
  readonly epoch: number;
  readonly pairs: number;
  /** Mean loss of a pair with its negatives since the last report; undefined where nothing was measured. */
  readonly loss: number | undefined;
  readonly cpuSeconds: number;
}

/** All that a training goes on from, with the same data and settings. */
export interface TrainingState {
  readonly progress: SkipGramProgress;
  readonly tables: SkipGramTables;
}

export interface TrainingOptions {
  /** Stops the training; what it has is in the result. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
  /** Of an earlier training that was stopped. */
  readonly from?: TrainingState;
  /** Type of an item, for the strata of negatives; the id's part before its colon if not given. */
  readonly typeOf?: (item: ItemId) => string;
  readonly reportEveryMs?: number;
  /** Without the processor's vector instructions, for tests. */
  readonly plain?: boolean;
}

export interface Trained {
  /** False: stopped before the end. */
  readonly done: boolean;
  readonly model: ItemModel;
  readonly state: TrainingState;
  /** avx2 or plain. */
  readonly kernel: string;
}

const REPORT_EVERY_MS = 500;

/**
 * item2vec: skip-gram with negative sampling, where a history is a set and all of it is context (Barkan, Koenigstein 2016). A user is the
 * mean of the input vectors of their items, and items are scored by their output vectors: input against input finds little.
 * Items that nobody has together with another item have no pair to learn from; their vectors are zeros, so that they are neither pooled nor found.
 * @throws KindredError INVALID_ARGUMENT where no user has two items, or the training diverges
 */
export async function trainItem2vec(
  histories: Histories,
  given: Partial<Item2vecSettings>,
  options: TrainingOptions = {},
): Promise<Trained> {
  const settings = item2vecSettings(given);
  const together = itemsWithOthers(histories);
  if (!together.includes(1))
    throw new KindredError("INVALID_ARGUMENT", "no user has two items: there is nothing to learn from", "histories");
  const trainer = coded(() => trainerOf(histories, settings, options));
  if (options.from !== undefined) {
    const { tables, progress } = options.from;
    coded(() => trainer.write(tables, progress));
  }
  const done = await run(trainer, histories.users.length * settings.epochs, histories.users.length, options);
  if (!Number.isFinite(trainer.progress().loss))
    throw new KindredError("INVALID_ARGUMENT", "the training diverged, its numbers are no longer finite; it wants a lower rate", "rate");
  const tables = coded(() => trainer.read());
  const state: TrainingState = { progress: trainer.progress(), tables };
  const { dims } = settings;
  const model: ItemModel = {
    kind: "item2vec",
    items: histories.items,
    input: { dims, values: withoutAlone(tables.input, dims, together) },
    output: { dims, values: withoutAlone(tables.output, dims, together) },
    score: "dot",
  };
  return { done, model, state, kernel: trainer.kernel };
}

function trainerOf(histories: Histories, settings: Item2vecSettings, options: TrainingOptions): SkipGramTrainer {
  const { dims, epochs, threads, seed, window, negatives, negativeWeight, rate, lastRate } = settings;
  const popularity = popularityOf(histories);
  const { weights, strata } = negativeTables(histories.items, popularity, settings.exponent, settings.strata, options.typeOf ?? typeOfId);
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

async function run(trainer: SkipGramTrainer, steps: number, users: number, options: TrainingOptions): Promise<boolean> {
  const { signal, onProgress } = options;
  if (signal?.aborted === true) return false;
  let before = trainer.progress();
  const report = (): void => {
    const now = trainer.progress();
    // It won't come back from there.
    if (!Number.isFinite(now.loss)) trainer.stop();
    const measured = now.lossPairs - before.lossPairs;
    const loss = measured === 0 ? undefined : (now.loss - before.loss) / measured;
    onProgress?.({ share: (now.epoch * users + now.user) / steps, epoch: now.epoch, pairs: now.pairs, loss, cpuSeconds: now.cpuSeconds });
    before = now;
  };
  const stop = (): void => trainer.stop();
  signal?.addEventListener("abort", stop, { once: true });
  report();
  const timer = setInterval(report, options.reportEveryMs ?? REPORT_EVERY_MS);
  try {
    const done = await trainer.train().catch((error: unknown) => {
      throw translated(error);
    });
    report();
    return done;
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", stop);
  }
}

function coded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translated(error);
  }
}

function translated(error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message?: string };
  return isErrorCode(code) ? new KindredError(code, message ?? "", undefined, { cause: error }) : error;
}
