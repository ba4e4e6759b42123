import type { SkipGramProgress, SkipGramTables, SkipGramTrainer } from "../../native/skip-gram.js";
import { isErrorCode, KindredError } from "../../schemas/errors.js";
import type { LossPoint } from "../../schemas/model.js";
import type { Trained, TrainingOptions, TrainingState } from "./model-kind.js";

/** What runs so: not only skip-gram. */
type Steppable = Omit<SkipGramTrainer, "step" | "walk">;

const REPORT_EVERY_MS = 500;
const CHECKPOINT_EVERY_MS = 60_000;
/** Training goes on for so many times as long as a checkpoint took, however often they are wanted. */
const WORK_PER_PAUSE = 9;

/** What a run of the trainer gives beside the model that is made of its tables. */
export type SkipGramRun = Omit<Trained, "model"> & { readonly tables: SkipGramTables };

/**
 * Trains from where `options.from` says to the end, or until it is stopped; stops now and then by itself where checkpoints are wanted, since
 * tables can't be read while threads write them. Stops are between users, so that one thread goes on as if there had been none.
 * @param walkers users of one epoch, or whatever it goes through
 * @throws KindredError INVALID_ARGUMENT where the training diverges
 */
export async function runSkipGram(
  trainer: Steppable,
  { dims, epochs }: { readonly dims: number; readonly epochs: number },
  walkers: number,
  options: TrainingOptions,
): Promise<SkipGramRun> {
  if (options.from !== undefined) write(trainer, options.from);
  const done = await reported(trainer, walkers, epochs, options, () => checkpointed(trainer, dims, options));
  const progress = trainer.progress();
  if (!Number.isFinite(progress.loss)) throw diverged();
  const tables = coded(() => trainer.read());
  const { pairs, loss, lossPairs, cpuSeconds } = progress;
  const metrics = { pairs, loss: loss / Math.max(1, lossPairs) };
  return { done, tables, state: stateOf(tables, progress, dims), kernel: trainer.kernel, losses: curveOf(progress), metrics, cpuSeconds };
}

const diverged = (): KindredError =>
  new KindredError("INVALID_ARGUMENT", "the training diverged, its numbers are no longer finite; it wants a lower rate", "rate");

/** Whether it came to its end. */
async function checkpointed(trainer: Steppable, dims: number, options: TrainingOptions): Promise<boolean> {
  const { signal, onCheckpoint, checkpointEveryMs = CHECKPOINT_EVERY_MS } = options;
  const stopped = (): boolean => signal?.aborted === true;
  const train = (): Promise<boolean> =>
    trainer.train().catch((error: unknown) => {
      throw translated(error);
    });
  if (onCheckpoint === undefined) return train();
  let took = 0;
  for (;;) {
    const timer = setTimeout(() => trainer.stop(), Math.max(checkpointEveryMs, WORK_PER_PAUSE * took));
    const done = await train().finally(() => clearTimeout(timer));
    const progress = trainer.progress();
    if (done || stopped() || !Number.isFinite(progress.loss)) return done;
    const startedAt = performance.now();
    await onCheckpoint(
      stateOf(
        coded(() => trainer.read()),
        progress,
        dims,
      ),
    );
    took = performance.now() - startedAt;
    // It may have been asked for while nothing ran that could be stopped.
    if (stopped()) return false;
  }
}

/** Runs `train` with reports before, meanwhile and after, and stops it when told. */
async function reported(
  trainer: Steppable,
  walkers: number,
  epochs: number,
  { signal, onProgress, reportEveryMs = REPORT_EVERY_MS }: TrainingOptions,
  train: () => Promise<boolean>,
): Promise<boolean> {
  if (signal?.aborted === true) return false;
  let before = trainer.progress();
  const report = (): void => {
    const now = trainer.progress();
    // It won't come back from there.
    if (!Number.isFinite(now.loss)) trainer.stop();
    const measured = now.lossPairs - before.lossPairs;
    const loss = measured === 0 ? undefined : (now.loss - before.loss) / measured;
    const share = (now.epoch * walkers + now.user) / (epochs * walkers);
    onProgress?.({ share, epoch: now.epoch, pairs: now.pairs, loss, cpuSeconds: now.cpuSeconds });
    before = now;
  };
  const stop = (): void => trainer.stop();
  signal?.addEventListener("abort", stop, { once: true });
  const timer = setInterval(report, reportEveryMs);
  try {
    report();
    const done = await train();
    report();
    return done;
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", stop);
  }
}

function stateOf(tables: SkipGramTables, progress: SkipGramProgress, dims: number): TrainingState {
  const { input, output, inputSquares, outputSquares } = tables;
  const one = (values: Float32Array) => ({ dims: 1, values });
  return {
    tables: {
      input: { dims, values: input },
      output: { dims, values: output },
      inputSquares: one(inputSquares),
      outputSquares: one(outputSquares),
    },
    progress: { ...progress },
  };
}

function write(trainer: Steppable, { tables, progress }: TrainingState): void {
  const { input, output, inputSquares, outputSquares } = tables;
  if (!(input && output && inputSquares && outputSquares))
    throw new KindredError("INVALID_ARGUMENT", "what training goes on from lacks a table", "from");
  const values = {
    input: input.values,
    output: output.values,
    inputSquares: inputSquares.values,
    outputSquares: outputSquares.values,
  };
  // The addon checks each number.
  coded(() => trainer.write(values, progress as unknown as SkipGramProgress));
}

function curveOf({ curveLoss, curvePairs }: SkipGramProgress): LossPoint[] {
  return curveLoss.flatMap((loss, at) => {
    const pairs = curvePairs[at]!;
    return pairs === 0 ? [] : [{ share: (at + 1) / curveLoss.length, loss: loss / pairs }];
  });
}

/** The addon's errors with our codes as our own. */
export function coded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translated(error);
  }
}

function translated(error: unknown): unknown {
  if (error instanceof KindredError) return error;
  const { code, message } = error as { code?: unknown; message?: string };
  return isErrorCode(code) ? new KindredError(code, message ?? "", undefined, { cause: error }) : error;
}
