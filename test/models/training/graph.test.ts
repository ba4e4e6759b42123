import { describe, expect, it } from "vitest";
import { trainGraph } from "../../../models/training/graph.js";
import { GRAPH_DEFAULTS, graphSettings } from "../../../models/training/graph-settings.js";
import type { TrainingProgress, TrainingState } from "../../../models/training/model-kind.js";
import { HistoriesBuilder } from "../../../models/training-set/histories.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemInfo } from "../../../schemas/item.js";
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

const small = { dims: 16, epochs: 10, threads: 1, negatives: 16 } as const;

/** u2i as the rest of kindred has it: mean of input vectors against output vectors. */
function ranked({ items, input, output }: ItemModel, history: readonly string[]): string[] {
  const { dims } = input;
  const pool = new Float64Array(dims);
  for (const item of history)
    for (let d = 0; d < dims; d++) pool[d]! += input.values[items.indexOf(item as ItemId) * dims + d]! / history.length;
  const score = (row: number): number => pool.reduce((sum, x, d) => sum + x * output.values[row * dims + d]!, 0);
  return [...items.keys()].sort((a, b) => score(b) - score(a)).map((row) => items[row]!);
}

const rowOf = ({ items, input, output }: ItemModel, item: string): { input: number[]; output: number[] } => {
  const [at, { dims }] = [items.indexOf(item as ItemId), input];
  return { input: [...input.values.subarray(at * dims, (at + 1) * dims)], output: [...output.values.subarray(at * dims, (at + 1) * dims)] };
};

describe("trainGraph", () => {
  it.each([
    ["trained", {}],
    ["the spectrum alone", { epochs: 0 }],
    ["two threads", { threads: 2 }],
    ["more dimensions than items", { dims: 64 }],
  ])("finds the circle of somebody with one item of it, and of somebody with three: %s", async (_, over) => {
    const { done, model } = await trainGraph(circles(), { ...small, ...over });
    expect(done).toBe(true);
    for (const circle of ["jazz", "rock"])
      for (const history of [[`${circle}:3`], [`${circle}:0`, `${circle}:4`, `${circle}:9`]]) {
        const found = ranked(model, history).slice(0, 10);
        expect(found.filter((item) => item.startsWith(circle))).toEqual(found);
      }
  });

  it("gives one model for a seed on one thread, with or without a stop on the way", async () => {
    const set = circles(4000);
    const whole = await trainGraph(set, small);
    expect((await trainGraph(set, small)).model).toEqual(whole.model);
    expect((await trainGraph(set, { ...small, seed: 2 })).model).not.toEqual(whole.model);
    const stop = new AbortController();
    const onProgress = ({ pairs }: TrainingProgress): void => void (pairs > 0 && stop.abort());
    const half = await trainGraph(set, small, { signal: stop.signal, onProgress, reportEveryMs: 1 });
    expect(half.done).toBe(false);
    // As a checkpoint has it.
    const from: TrainingState = { ...half.state, progress: JSON.parse(JSON.stringify(half.state.progress)) };
    const rest = await trainGraph(set, small, { from });
    expect([rest.done, rest.model, rest.metrics, rest.losses]).toEqual([true, whole.model, whole.metrics, whole.losses]);
  });

  it("reports a share that grows to 1 and a loss that falls", async () => {
    const reports: TrainingProgress[] = [];
    const { losses } = await trainGraph(circles(8000), small, { onProgress: (report) => reports.push(report), reportEveryMs: 5 });
    const shares = reports.map(({ share }) => share);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect([shares[0], shares.at(-1)]).toEqual([0, 1]);
    expect(losses.at(-1)!.loss).toBeLessThan(losses[0]!.loss);
  });

  it("is drawn to what weighs more, and only proportions of weights count", async () => {
    const set = circles();
    const { rows, starts } = set.histories;
    const weights = Float32Array.from(rows, (_, at) => 1 + (at % 4));
    const { model } = await trainGraph({ ...set, weights }, small);
    const doubled = await trainGraph({ ...set, weights: weights.map((weight) => 2 * weight) }, small);
    expect(doubled.model).toEqual(model);
    expect((await trainGraph(set, small)).model).not.toEqual(model);
    expect(starts.length).toBe(301);
  });

  it("knows nothing of items that nobody has with another, but for what their creators say", async () => {
    const { histories } = circles();
    const builder = new HistoriesBuilder();
    for (const [user, id] of histories.users.entries())
      builder.add(
        id,
        [...histories.rows.subarray(histories.starts[user], histories.starts[user + 1])].map((row) => histories.items[row]!),
      );
    builder.add("alone", ["jazz:new" as ItemId]);
    builder.add("nothing", []);
    const set = { histories: builder.build() };
    const info = (item: ItemId): [ItemId, ItemInfo] => [item, { item, type: "song", creators: [item.split(":")[0]!] }];
    const infos = new Map(set.histories.items.map(info));
    const { model } = await trainGraph({ ...set, infos }, small);
    expect(
      ranked(model, ["jazz:new"])
        .slice(0, 15)
        .every((item) => item.startsWith("jazz")),
    ).toBe(true);
    expect(rowOf((await trainGraph({ ...set, infos }, { ...small, sideWeight: 0 })).model, "jazz:new")).toEqual(
      rowOf((await trainGraph(set, small)).model, "jazz:new"),
    );
  });

  it("gives the tail more room with debias, and leaves what users pool as it is", async () => {
    const builder = new HistoriesBuilder();
    const random = seededRandom(3);
    for (let user = 0; user < 400; user++)
      builder.add(
        `u${user}`,
        Array.from({ length: 6 }, () => `song:${Math.min(random(40), random(40), random(40))}` as ItemId),
      );
    const set = { histories: builder.build() };
    const [plain, debiased] = [await trainGraph(set, small), await trainGraph(set, { ...small, debias: 0.5 })];
    expect(debiased.model.input).toEqual(plain.model.input);
    const tail = ({ model }: { model: ItemModel }): number =>
      set.histories.items.reduce(
        (sum, item) =>
          sum +
          ranked(model, [item])
            .slice(0, 5)
            .filter((found) => Number(found.slice(5)) >= 15).length,
        0,
      );
    expect(tail(debiased)).toBeGreaterThan(1.2 * tail(plain));
  });

  it.each([
    ["nobody", []],
    ["one item", [["a"]]],
    ["one item of two people each", [["a"], ["b"]]],
  ])("refuses %s", async (_, histories) => {
    const builder = new HistoriesBuilder();
    for (const [user, items] of histories.entries()) builder.add(`u${user}`, items as ItemId[]);
    await expect(trainGraph({ histories: builder.build() }, small)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("trains two items of one person", async () => {
    const builder = new HistoriesBuilder();
    builder.add("u", ["a", "b"] as ItemId[]);
    const { done, model } = await trainGraph({ histories: builder.build() }, small);
    expect(done).toBe(true);
    expect([...model.input.values, ...model.output.values].every(Number.isFinite)).toBe(true);
  });
});

it("graphSettings names what is out of range, and what is no setting", () => {
  expect(graphSettings()).toEqual(GRAPH_DEFAULTS);
  expect(() => graphSettings({ smoothing: 2 })).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining("smoothing") }),
  );
  expect(() => graphSettings({ window: 3 } as never)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});
