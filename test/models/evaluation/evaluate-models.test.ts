import { describe, expect, it } from "vitest";
import { evaluateModels, type NamedModel } from "../../../models/evaluation/evaluate-models.js";
import { type ModelReport, reportJson } from "../../../models/evaluation/report.js";
import { reportTable } from "../../../models/evaluation/report-table.js";
import { SeededRandom } from "../../../models/seeded-random.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemModel } from "../../../schemas/model.js";
import { historiesOf, type MadeUp, madeUp } from "./made-up-split.js";

const random = new SeededRandom(6);
const made = madeUp(() => random.next() / 2 ** 32, { users: 300 });
const [train, test] = [historiesOf(made.train), historiesOf(made.test)];
const REFUSED = expect.objectContaining({ code: "INVALID_ARGUMENT" });

/** Vectors that know the test: an item's input vector says which users have it in train, its output vector who has it in test. */
function oracle({ train, test, model }: MadeUp): ItemModel {
  const users = Object.keys(train);
  const table = (of: Record<string, string[]>): Float32Array =>
    Float32Array.from(model.items.flatMap((item) => users.map((user) => (of[user]?.includes(item) ? 1 : 0))));
  const matrix = (of: Record<string, string[]>) => ({ dims: users.length, values: table(of) });
  return { ...model, kind: "oracle", input: matrix(train), output: matrix(test) };
}

const named = (name: string, model: ItemModel = made.model): NamedModel => ({ name, model });
const reportOf = (models: readonly ModelReport[], name: string): ModelReport => models.find((model) => model.name === name)!;

/** recall@k by nothing but sorting: popularity by name, all from scratch. */
function naivePopularity(k: number): { recall: number; ndcg: number } {
  const counts = new Map(train.items.map((item) => [item as string, 0]));
  for (const own of Object.values(made.train)) for (const item of own) counts.set(item, counts.get(item)! + 1);
  const order = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!);
  const all = Object.keys(made.test).filter((user) => made.test[user]!.length > 0);
  let [recall, ndcg] = [0, 0];
  for (const user of all) {
    const list = order.filter((item) => !made.train[user]!.includes(item)).slice(0, k);
    const wanted = made.test[user]!;
    const gains = list.map((item, rank) => (wanted.includes(item) ? 1 / Math.log2(rank + 2) : 0));
    const ideal = wanted.slice(0, k).map((_, rank) => 1 / Math.log2(rank + 2));
    const sum = (of: readonly number[]): number => of.reduce((total, x) => total + x, 0);
    recall += gains.filter((gain) => gain > 0).length / wanted.length;
    ndcg += sum(gains) / sum(ideal);
  }
  return { recall: recall / all.length, ndcg: ndcg / all.length };
}

describe("evaluateModels", () => {
  it("finds that a model that knows the test is better than one of noise, and popularity what it is", async () => {
    const friendships = [["u0", "u1"] as const, ["u2", "u3"] as const];
    const models = [named("noise"), named("oracle", oracle(made))];
    const report = await evaluateModels(models, train, test, { ks: [20, 5], neighbours: 10, rounds: 500, friendships });
    const [noise, knowing, popularity] = report.models as [ModelReport, ModelReport, ModelReport];
    expect(report.models.map(({ name, kind }) => [name, kind])).toEqual([
      ["noise", "made up"],
      ["oracle", "oracle"],
      ["popularity", "popularity"],
    ]);
    expect(knowing.u2i["recall@20"]).toBeGreaterThan(noise.u2i["recall@20"]! + 0.1);
    const naive = naivePopularity(20);
    expect(popularity.u2i["recall@20"]).toBeCloseTo(naive.recall, 12);
    expect(popularity.u2i["ndcg@20"]).toBeCloseTo(naive.ndcg, 12);
    expect(popularity.exposure["coverage@5"]).toBeLessThan(popularity.exposure["coverage@20"]!);
    const found = report.comparisons.find(({ model, task, metric }) => model === "oracle" && task === "u2i" && metric === "recall@20")!;
    expect(found.mean).toBeCloseTo(knowing.u2i["recall@20"]! - noise.u2i["recall@20"]!, 12);
    expect(found).toMatchObject({ base: "noise", queries: report.split.testedUsers, p: 1 / 501 });
    expect(found.low).toBeGreaterThan(0);
    expect(found.high).toBeGreaterThan(found.mean);
    expect(found.adjusted).toBeGreaterThan(found.p);
    // The baseline has lists for users only.
    expect(new Set(report.comparisons.filter(({ model }) => model === "popularity").map(({ task }) => task))).toEqual(new Set(["u2i"]));
    expect(report.exactNeighbours["jaccard@10"]).toBeGreaterThan(noise.u2u!["jaccard@10"]!);
    expect(noise.friends).toMatchObject({ pairs: 2, "recall@10": expect.any(Number), auc: expect.any(Number) });
  });

  it("says the same when it is asked again, and survives JSON", async () => {
    const ask = async () => {
      const report = await evaluateModels([named("a"), named("b", oracle(made))], train, test, { rounds: 100, neighbours: 5 });
      return { ...report, models: report.models.map(({ cpuSeconds, ...rest }) => rest) };
    };
    const first = await ask();
    expect(await ask()).toEqual(first);
    expect(JSON.parse(JSON.stringify(first))).toEqual(first);
  });

  it("does not find a model different from itself", async () => {
    const { comparisons } = await evaluateModels([named("a"), named("again")], train, test, { rounds: 50 });
    const same = comparisons.filter(({ model }) => model === "again");
    expect(same.length).toBeGreaterThan(10);
    for (const { p, mean, adjusted } of same) expect({ p, mean, adjusted }).toEqual({ p: 1, mean: 0, adjusted: 1 });
  });

  it("goes by names, not by the order in which a model or a file has items and users", async () => {
    const reordered = ({ items, ...rest }: ItemModel): ItemModel => {
      const order = [...items.keys()].reverse();
      const turned = ({ dims, values }: ItemModel["input"]) => ({
        dims,
        values: Float32Array.from(order.flatMap((row) => [...values.subarray(row * dims, (row + 1) * dims)])),
      });
      return { ...rest, items: order.map((row) => items[row]!), input: turned(rest.input), output: turned(rest.output) };
    };
    const others = historiesOf(Object.fromEntries(Object.entries(made.test).reverse()));
    const options = { rounds: 0, neighbourUsers: 50 };
    const [one, two] = await Promise.all([
      evaluateModels([named("a")], train, test, options),
      evaluateModels([named("a", reordered(made.model))], train, others, options),
    ]);
    expect(reportOf(two.models, "a").u2i).toEqual(reportOf(one.models, "a").u2i);
    expect(two.split).toEqual(one.split);
  });

  it("tells how much of a split nobody can find", async () => {
    const train = historiesOf({ ann: ["a", "b"], bob: ["b", "c"], eve: ["a", "b"] });
    const test = historiesOf({ ann: ["c", "new"], bob: ["b"], stranger: ["a"], eve: [] });
    const { split, models } = await evaluateModels([], train, test, { ks: [1], neighbourUsers: 0 });
    expect(split).toEqual({
      users: 3,
      items: 4,
      trainInteractions: 6,
      testInteractions: 3,
      testedUsers: 2,
      testableUsers: 2,
      usersWithoutHistory: 1,
      testOfNewItems: 1,
      testOfKnownItems: 1,
      segments: {
        head: { items: 1, interactions: 3 },
        middle: { items: 1, interactions: 2 },
        tail: { items: 2, interactions: 1 },
      },
    });
    // Ann finds c of two, Bob wants what he has: masked, and a miss.
    expect(models[0]!.u2i).toMatchObject({ "recall@1": 0.25, "precision@1": 0.5, "hit@1": 0.5, "recall@1/middle": null });
    expect(models[0]!.exposure).toEqual({
      "coverage@1": 0.5,
      "gini@1": 0.5,
      "share@1/head": 0,
      "share@1/middle": 0.5,
      "share@1/tail": 0.5,
    });
  });

  it("gives a user of whom a model knows no item an empty list, which finds nothing", async () => {
    const train = historiesOf({ ann: ["a"], bob: ["b"] });
    const test = historiesOf({ ann: ["b"], bob: ["a"] });
    const one = { dims: 1, values: Float32Array.of(1) };
    const model: ItemModel = { kind: "k", items: ["a" as ItemId], input: one, output: one, score: "dot" };
    const { models } = await evaluateModels([named("half", model)], train, test, { ks: [1] });
    expect(models[0]!).toMatchObject({ items: 1, u2i: { "recall@1": 0, "hit@1": 0 } });
  });

  it("gives the others the same figures, whatever else a model beside them knows", async () => {
    const { items, input, output, ...rest } = made.model;
    const more = Array.from({ length: 50 }, (_, i) => `unheard of ${i}` as ItemId);
    const wider = ({ dims, values }: ItemModel["input"]) => ({
      dims,
      values: Float32Array.from([...values, ...new Array(50 * dims).fill(1)]),
    });
    const knowing = { ...rest, items: [...items, ...more], input: wider(input), output: wider(output) };
    const options = { rounds: 0, neighbourUsers: 0 };
    const [alone, beside] = [
      await evaluateModels([named("a")], train, test, options),
      await evaluateModels([named("a"), named("b", knowing)], train, test, options),
    ];
    for (const name of ["a", "popularity"]) expect(reportOf(beside.models, name).exposure).toEqual(reportOf(alone.models, name).exposure);
    expect(beside.split).toEqual(alone.split);
    // Items that are in neither file take places.
    expect(reportOf(beside.models, "b").u2i["recall@20"]).toBeLessThan(reportOf(alone.models, "a").u2i["recall@20"]!);
  });

  it("asks whom training did not know after their first events, in the order of the file, and finds the rest", async () => {
    const train = historiesOf({ ann: ["a", "b"], bob: ["a", "c"], eve: ["a"] });
    const test = historiesOf({ new: ["c", "a", "b"], short: ["b", "a"] });
    const one = { dims: 3, values: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1) };
    // Who has c goes on to b, others to a.
    const output = { dims: 3, values: Float32Array.of(0.5, 1, 0.5, 0, 0, 1, 0.1, 0.1, 0) };
    const model: ItemModel = { kind: "k", items: ["a", "b", "c"] as ItemId[], input: one, output, score: "dot" };
    const { split, models } = await evaluateModels([named("m", model)], train, test, { ks: [1], newcomers: [0, 1, 2], rounds: 10 });
    expect(split).toMatchObject({
      testedUsers: 0,
      usersWithoutHistory: 2,
      newcomers: [
        { events: 0, users: 2 },
        { events: 1, users: 2 },
        { events: 2, users: 1 },
      ],
    });
    const found = (name: string, events: number) => reportOf(models, name).newcomers?.[`recall@1 after ${events}`];
    // With nothing there is nothing to pool; popularity says a, one of the three and one of the two.
    expect([found("m", 0), found("popularity", 0)]).toEqual([0, (1 / 3 + 1 / 2) / 2]);
    // `new` has c and gets b, of the two that are left; `short` has b and gets a.
    expect([found("m", 1), found("popularity", 1)]).toEqual([(1 / 2 + 1) / 2, (1 / 2 + 1) / 2]);
    expect([found("m", 2), found("popularity", 2)]).toEqual([1, 1]);
    expect(reportOf(models, "m").u2i["recall@1"]).toBeNull();
    expect(reportTable(await evaluateModels([named("m", model)], train, test, { newcomers: [1] }))).toContain(
      "after their first events, 1 (2 users)",
    );
    await expect(evaluateModels([], train, test, {})).rejects.toThrow("no user has a history");
  });

  it("tells recall by type of the item: of side information, else of the id; of one type alone it says nothing", async () => {
    const train = historiesOf({ ann: ["song:1"], bob: ["song:1", "song:2", "x"], eve: ["song:2", "song:1"] });
    const test = historiesOf({ ann: ["song:2", "x"], bob: ["live:1"] });
    const typeOf = (item: ItemId) => (item === "x" ? "podcast" : undefined);
    const options = { ks: [1], rounds: 0, neighbourUsers: 0 };
    const { models } = await evaluateModels([], train, test, { ...options, typeOf });
    // Popularity gives Ann song:2 and not x; Bob's is nobody's.
    expect(models[0]!.types).toEqual({ "recall@1/song": 1, "recall@1/podcast": 0, "recall@1/live": 0 });
    const report = await evaluateModels([], train, historiesOf({ ann: ["song:2"] }), { ...options, typeOf: () => "song" });
    expect(report.models[0]!.types).toBeUndefined();
  });

  it("asks a sample of the users, the same for all, and says so", async () => {
    const options = { users: 40, rounds: 0, neighbourUsers: 0 };
    const report = await evaluateModels([named("a"), named("b")], train, test, options);
    expect(report.split).toMatchObject({
      users: 300,
      testedUsers: 40,
      testableUsers: Object.values(made.test).filter((of) => of.length > 0).length,
    });
    expect(report.models[0]!.u2i).toEqual(report.models[1]!.u2i);
    const other = await evaluateModels([named("a")], train, test, { ...options, seed: 2 });
    expect(other.models[0]!.u2i).not.toEqual(report.models[0]!.u2i);
    expect(reportTable(report)).toContain("of 40 users, drawn from");
  });

  it("prints u2i of the first model at the top of the JSON", async () => {
    const report = await evaluateModels([named("a")], train, test, { rounds: 0, neighbourUsers: 0 });
    expect(reportJson(report)).toMatchObject({ ...report.models[0]!.u2i, models: report.models, format: 1 });
  });

  it("counts what is done up to all of it, and stops when told to", async () => {
    const progress: [number, number][] = [];
    await evaluateModels([named("a")], train, test, { rounds: 0, neighbourUsers: 0, onProgress: (...done) => progress.push(done) });
    const { length } = progress;
    expect(progress.map(([done]) => done)).toEqual(progress.map(([done]) => done).sort((a, b) => a - b));
    expect(progress[length - 1]![0]).toBe(progress[length - 1]![1]);
    await expect(evaluateModels([named("a")], train, test, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });

  it.each([
    ["no k", { ks: [] }],
    ["a k of 0", { ks: [0] }],
    ["a k twice", { ks: [5, 5] }],
    ["no users", { users: 0 }],
    ["newcomers after one number twice", { newcomers: [1, 1] }],
    ["newcomers after half an event", { newcomers: [0.5] }],
    ["half a neighbour", { neighbours: 0.5 }],
    ["rounds below 0", { rounds: -1 }],
    ["a seed that is none", { seed: Number.NaN }],
  ])("refuses %s", async (_, options) => {
    await expect(evaluateModels([], train, test, options)).rejects.toThrow(REFUSED);
  });

  it("refuses two models of one name", async () => {
    await expect(evaluateModels([named("a"), named("a")], train, test)).rejects.toThrow(REFUSED);
    await expect(evaluateModels([named("popularity")], train, test)).rejects.toThrow(REFUSED);
  });
});
