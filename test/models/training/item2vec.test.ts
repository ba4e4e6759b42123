import { describe, expect, it } from "vitest";
import { keepProbabilities, trainItem2vec } from "../../../models/training/item2vec.js";
import { ITEM2VEC_DEFAULTS, item2vecSettings } from "../../../models/training/item2vec-settings.js";
import type { TrainingProgress, TrainingState } from "../../../models/training/model-kind.js";
import { HistoriesBuilder } from "../../../models/training-set/histories.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemModel, TrainingSet } from "../../../schemas/model.js";
import { seededRandom } from "../../harness/seeded-random.js";

/** Two circles of people: each knows about 8 random ones of the 20 items of theirs. */
function circles(users = 300): TrainingSet {
  const builder = new HistoriesBuilder();
  const random = seededRandom(7);
  for (let user = 0; user < users; user++) {
    const circle = user % 2 === 0 ? "jazz" : "rock";
    builder.add(
      `u${user}`,
      Array.from({ length: 10 }, () => `${circle}:${random(20)}` as ItemId),
    );
  }
  return { histories: builder.build() };
}

const small = { dims: 16, epochs: 30, threads: 1, window: 8, negatives: 8 } as const;

/** u2i as the rest of kindred has it: mean of input vectors against output vectors. */
function ranked({ items, input, output }: ItemModel, history: readonly string[]): string[] {
  const { dims } = input;
  const pool = new Float64Array(dims);
  for (const item of history)
    for (let d = 0; d < dims; d++) pool[d]! += input.values[items.indexOf(item as ItemId) * dims + d]! / history.length;
  const score = (row: number): number => pool.reduce((sum, x, d) => sum + x * output.values[row * dims + d]!, 0);
  return [...items.keys()].sort((a, b) => score(b) - score(a)).map((row) => items[row]!);
}

describe("trainItem2vec", () => {
  it.each([
    ["adagrad", 0.3, 0],
    ["sgd", 0.05, 0],
    ["adagrad", 0.3, 1],
  ] as const)("finds the circle of somebody with three items of it: %s at %d, constrained %d", async (optimizer, rate, constrained) => {
    const set = circles();
    const infos = new Map(set.histories.items.map((item) => [item, { item, type: "song" }]));
    const { done, model } = await trainItem2vec(
      { ...set, infos },
      { ...small, optimizer, rate, lastRate: rate / 10, constrained, strata: 2, epochs: 60 },
    );
    expect(done).toBe(true);
    for (const circle of ["jazz", "rock"]) {
      const found = ranked(model, [`${circle}:0`, `${circle}:4`, `${circle}:9`]).slice(0, 16);
      expect(found.filter((item) => item.startsWith(circle)).length).toBeGreaterThanOrEqual(15);
    }
  });

  it("gives one model for a seed on one thread, with or without a stop on the way", async () => {
    const set = circles(2000);
    const whole = await trainItem2vec(set, small);
    expect((await trainItem2vec(set, small)).model).toEqual(whole.model);
    expect((await trainItem2vec(set, { ...small, seed: 2 })).model).not.toEqual(whole.model);
    const stop = new AbortController();
    const onProgress = ({ pairs }: TrainingProgress): void => void (pairs > 0 && stop.abort());
    const half = await trainItem2vec(set, small, { signal: stop.signal, onProgress, reportEveryMs: 1 });
    expect(half.done).toBe(false);
    // As a checkpoint has it.
    const from: TrainingState = { ...half.state, progress: JSON.parse(JSON.stringify(half.state.progress)) };
    const rest = await trainItem2vec(set, small, { from });
    expect(rest.done).toBe(true);
    expect(rest.model).toEqual(whole.model);
    expect(rest.metrics).toEqual(whole.metrics);
    expect(rest.losses).toEqual(whole.losses);
  });

  it("stores its state on the way as often as it is told, and its model is the same", async () => {
    const set = circles(2000);
    const whole = await trainItem2vec(set, small);
    const pairs: number[] = [];
    const onCheckpoint = async (state: TrainingState): Promise<void> => void pairs.push(state.progress.pairs as number);
    const stored = await trainItem2vec(set, small, { onCheckpoint, checkpointEveryMs: 5 });
    expect(pairs.length).toBeGreaterThan(2);
    expect(pairs).toEqual([...pairs].sort((a, b) => a - b));
    expect([stored.done, stored.model, stored.losses]).toEqual([true, whole.model, whole.losses]);
  });

  it("stops where it is told so while its state is stored", async () => {
    const stop = new AbortController();
    const onCheckpoint = async (): Promise<void> => stop.abort();
    expect((await trainItem2vec(circles(2000), small, { onCheckpoint, checkpointEveryMs: 5, signal: stop.signal })).done).toBe(false);
  });

  it("has a curve of losses over the whole training, which falls", async () => {
    const { losses } = await trainItem2vec(circles(2000), small);
    expect(losses.map(({ share }) => share)).toEqual(Array.from({ length: 64 }, (_, i) => (i + 1) / 64));
    expect(losses.at(-1)!.loss).toBeLessThan(0.95 * losses[0]!.loss);
  });

  it("does nothing where it is stopped before it begins", async () => {
    const { done, metrics } = await trainItem2vec(circles(), small, { signal: AbortSignal.abort() });
    expect([done, metrics.pairs]).toEqual([false, 0]);
  });

  it("reports a share that grows to 1 and a loss that falls", async () => {
    const reports: TrainingProgress[] = [];
    await trainItem2vec(circles(20_000), { ...small, epochs: 5 }, { onProgress: (report) => reports.push(report), reportEveryMs: 5 });
    const shares = reports.map(({ share }) => share);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares[0]).toBe(0);
    expect(shares.at(-1)).toBe(1);
    const losses = reports.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
    expect(losses.length).toBeGreaterThan(1);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
  });

  it("gives zeros to items that nobody has with another, and trains the rest as if they were not there", async () => {
    const builder = new HistoriesBuilder();
    builder.add("alone", ["z"] as ItemId[]);
    builder.add("nothing", []);
    for (let user = 0; user < 20; user++) builder.add(`u${user}`, ["a", "b", "c"] as ItemId[]);
    const { model } = await trainItem2vec({ histories: builder.build() }, { ...small, dims: 8 });
    expect(model.items[0]).toBe("z");
    for (const { values } of [model.input, model.output]) {
      expect(values.subarray(0, 8).every((x) => x === 0)).toBe(true);
      expect(values.subarray(8).some((x) => x !== 0)).toBe(true);
      expect(values.every(Number.isFinite)).toBe(true);
    }
  });

  it("refuses histories without a pair", async () => {
    const builder = new HistoriesBuilder();
    builder.add("u", ["a"] as ItemId[]);
    builder.add("v", ["b"] as ItemId[]);
    builder.add("w", []);
    await expect(trainItem2vec({ histories: builder.build() }, small)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/two items/),
    });
  });

  it("says so where it diverges, and makes no model of NaN", async () => {
    const training = trainItem2vec(circles(), { ...small, optimizer: "sgd", rate: 10, lastRate: 10, negativeWeight: 1000, epochs: 200 });
    await expect(training).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringMatching(/diverged.*rate/) });
  });

  it("trains where everybody has everything, so that no negative is left", async () => {
    const builder = new HistoriesBuilder();
    for (let user = 0; user < 10; user++) builder.add(`u${user}`, ["a", "b"] as ItemId[]);
    const { model, done } = await trainItem2vec({ histories: builder.build() }, { ...small, constrained: 0.5 });
    expect(done).toBe(true);
    expect(model.output.values.every(Number.isFinite)).toBe(true);
  });
});

describe("keepProbabilities", () => {
  it("thins items above the sample's share as word2vec does, others not", () => {
    // Shares of .5, .1, .01 and nothing, with a sample of .01.
    const keep = [...keepProbabilities(Uint32Array.of(500, 100, 10, 0), 1000, 0.01)];
    [Math.sqrt(0.02) + 0.02, Math.sqrt(0.1) + 0.1, 1, 1].forEach((wanted, i) => void expect(keep[i]).toBeCloseTo(wanted, 6));
    expect([...keepProbabilities(Uint32Array.of(500, 1), 501, 0)]).toEqual([1, 1]);
  });
});

describe("item2vecSettings", () => {
  it("has defaults", () => {
    expect(item2vecSettings()).toEqual(ITEM2VEC_DEFAULTS);
    expect(item2vecSettings({ dims: 64 })).toEqual({ ...ITEM2VEC_DEFAULTS, dims: 64 });
  });

  it.each([
    [{ dims: 4 }, "dims"],
    [{ dims: 64.5 }, "dims"],
    [{ epochs: 0 }, "epochs"],
    [{ window: 1 }, "window"],
    [{ constrained: 1.1 }, "constrained"],
    [{ exponent: Number.NaN }, "exponent"],
    [{ seed: -1 }, "seed"],
    [{ optimizer: "adam" as "sgd" }, "optimizer"],
    [{ dimensions: 64 } as object, "dimensions"],
  ])("refuses %j and names it", (given, where) => {
    expect(() => item2vecSettings(given)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", where }));
  });
});
