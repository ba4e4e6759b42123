import { expect, it } from "vitest";
import { Provisional } from "../../../models/provisional/provisional.js";
import { SeededRandom } from "../../../models/seeded-random.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemInfo } from "../../../schemas/item.js";
import type { Histories, ItemModel, NewItem } from "../../../schemas/model.js";
import { historiesOf } from "../evaluation/made-up-split.js";

const TASTES = 4;
const ITEMS = 400;
const DIMS = 8;

/** Item i is of taste i mod 4: inputs say so in the first dimensions, outputs in the last, the other way round; all with some noise. */
function world(): { model: ItemModel; histories: Histories; infos: Map<ItemId, ItemInfo> } {
  const random = new SeededRandom(9);
  const noise = (): number => (random.next() / 2 ** 32 - 0.5) * 0.3;
  const items = Array.from({ length: ITEMS }, (_, i) => `i${i}` as ItemId);
  const table = (at: (taste: number) => number) => ({
    dims: DIMS,
    values: Float32Array.from(items.flatMap((_, i) => Array.from({ length: DIMS }, (_, d) => (d === at(i % TASTES) ? 1 : 0) + noise()))),
  });
  const model: ItemModel = { kind: "k", items, input: table((taste) => taste), output: table((taste) => DIMS - 1 - taste), score: "dot" };
  const byUser = Object.fromEntries(
    Array.from({ length: 400 }, (_, u) => [
      `u${u}`,
      Array.from({ length: 12 }, () => `i${TASTES * random.below(ITEMS / TASTES) + (u % TASTES)}`),
    ]),
  );
  const infos = items.map((item, i): [ItemId, ItemInfo] => [
    item,
    { item, type: "song", tags: [`tag ${i % TASTES}`, "everything"], ...(i % 2 === 0 && { creators: [`creator ${i % (4 * TASTES)}`] }) },
  ]);
  return { model, histories: historiesOf(byUser), infos: new Map(infos) };
}

const { model, histories, infos } = world();
const fitted = Provisional.fit(model, histories, { infos, exposure: 3 });
/** Somebody with that taste, as pooled users are. */
const listener = (taste: number): Float32Array => Float32Array.from({ length: DIMS }, (_, d) => (d === taste ? 1 : 0));

/** Which dimension says most. */
const strongest = (vector: Float32Array): number => vector.indexOf(Math.max(...vector));
const tasteOf = (item: NewItem): (number | undefined)[] => {
  const { input, output } = fitted.vectorsOf(item)!;
  return [strongest(input), DIMS - 1 - strongest(output)];
};

it.each<[string, (taste: number) => NewItem]>([
  ["one listener", (taste) => ({ listeners: [listener(taste)] })],
  ["many listeners", (taste) => ({ listeners: Array.from({ length: 40 }, () => listener(taste)) })],
  ["its tags", (taste) => ({ tags: [`tag ${taste}`, "unheard of"] })],
  ["its creator", (taste) => ({ creators: [`creator ${taste}`] })],
  ["all of it", (taste) => ({ tags: [`tag ${taste}`], listeners: [listener(taste), listener(taste), listener(taste)] })],
])("gives an item the vectors of its kind by %s", (name, item) => {
  for (const taste of [0, 2]) expect([name, ...tasteOf(item(taste))]).toEqual([name, taste, taste]);
});

it("has nothing to say where nothing tells the item from any other", () => {
  expect(fitted.vectorsOf({})).toBeUndefined();
  expect(fitted.vectorsOf({ creators: ["nobody"], tags: ["unheard of"], listeners: [] })).toBeUndefined();
});

it("goes by listeners alone where labels were never learned from", () => {
  const plain = Provisional.fit(model, histories);
  expect(plain.vectorsOf({ tags: ["tag 1"] })).toBeUndefined();
  const { output } = plain.vectorsOf({ tags: ["tag 1"], listeners: [listener(3)] })!;
  expect(DIMS - 1 - strongest(output)).toBe(3);
});

it("is in more lists with more exposure, and about as many as it is told", () => {
  const pooled = histories.users.map((_, u) => {
    const own = [...histories.rows.subarray(histories.starts[u], histories.starts[u + 1])].map((row) =>
      Number(histories.items[row]!.slice(1)),
    );
    return {
      own: new Set(own),
      mean: Array.from({ length: DIMS }, (_, d) => own.reduce((sum, i) => sum + model.input.values[i * DIMS + d]! / own.length, 0)),
    };
  });
  const score = (mean: readonly number[], vector: ArrayLike<number>, at = 0): number =>
    mean.reduce((sum, x, d) => sum + x * vector[at + d]!, 0);
  const least = pooled.map(({ own, mean }) => {
    const scores = model.items.flatMap((_, i) => (own.has(i) ? [] : [score(mean, model.output.values, i * DIMS)]));
    return scores.sort((a, b) => b - a)[19]!;
  });
  // As known items would be, were they new: with three of their listeners.
  const shares = [1, 4].map((exposure) => {
    const fit = Provisional.fit(model, histories, { exposure });
    const shown = Array.from({ length: 60 }, (_, n) => {
      const taste = n % TASTES;
      const first = pooled.filter((_, u) => u % TASTES === taste).slice(n, n + 3);
      const { output } = fit.vectorsOf({ listeners: first.map(({ mean }) => Float32Array.from(mean)) })!;
      return pooled.filter(({ mean }, u) => score(mean, output) > least[u]!).length / pooled.length;
    });
    return shown.reduce((sum, share) => sum + share / shown.length, 0);
  }) as [number, number];
  // The average item has 20 / 400 of the lists.
  expect(shares[1]).toBeGreaterThan(1.5 * shares[0]);
  expect(shares[0]).toBeGreaterThan(0.05 / 3);
  expect(shares[0]).toBeLessThan(0.05 * 3);
});

it("is the same for the same model, histories and seed, and finite for very little", () => {
  const item: NewItem = { tags: ["tag 2"], listeners: [listener(2)] };
  expect(Provisional.fit(model, histories, { infos }).vectorsOf(item)).toEqual(fitted.vectorsOf(item));
  const few = {
    ...model,
    items: model.items.slice(0, 2),
    input: { dims: DIMS, values: model.input.values.slice(0, 16) },
    output: { dims: DIMS, values: model.output.values.slice(0, 16) },
  };
  expect(Provisional.fit(few, histories, { infos }).vectorsOf(item)).toBeUndefined();
  const nobody = Provisional.fit(model, historiesOf({ u: ["elsewhere"] }), { infos });
  expect(nobody.vectorsOf({ listeners: [listener(1)] })).toBeUndefined();
  expect(nobody.vectorsOf(item)!.output.every(Number.isFinite)).toBe(true);
});

it("is kept in parts, and is the same again", () => {
  const again = Provisional.of(
    DIMS,
    JSON.parse(JSON.stringify(fitted.parts()), (key, value) =>
      key === "values" ? Float32Array.from(Object.values(value as object)) : value,
    ) as never,
  );
  for (const item of [
    { tags: ["tag 1", "everything"] },
    { creators: ["creator 4"], listeners: [listener(0)] },
    { listeners: Array(12).fill(listener(2)) },
  ]) {
    const [before, after] = [fitted.vectorsOf(item)!, again.vectorsOf(item)!];
    for (const name of ["input", "output"] as const) for (let d = 0; d < DIMS; d++) expect(after[name][d]).toBeCloseTo(before[name][d]!, 4);
  }
  expect(again.vectorsOf({ tags: ["unheard of"] })).toBeUndefined();
});

it.each<[string, (parts: ReturnType<Provisional["parts"]>) => unknown]>([
  ["a row that lacks", ({ vectors, about }) => ({ about, vectors: { ...vectors, values: vectors.values.subarray(2 * DIMS) } })],
  ["NaN", ({ vectors, about }) => ({ about, vectors: { ...vectors, values: vectors.values.map((x, i) => (i === 3 ? Number.NaN : x)) } })],
  ["no labels", ({ vectors, about: { labels: _, ...about } }) => ({ about, vectors })],
  ["blends of other parts", ({ vectors, about }) => ({ about: { ...about, blends: { "0 tags": { weights: [1, 2], gain: 1 } } }, vectors })],
  ["nothing", ({ vectors }) => ({ about: null, vectors })],
])("refuses parts with %s", (_, damaged) => {
  expect(() => Provisional.of(DIMS, damaged(fitted.parts()) as never)).toThrow();
});
