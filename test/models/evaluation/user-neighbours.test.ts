import { expect, it } from "vitest";
import { shareRows } from "../../../models/evaluation/shared-rows.js";
import { alikeLater, exactJaccard, jaccard, neighbourJaccard, usersByCosine } from "../../../models/evaluation/user-neighbours.js";
import { SeededRandom } from "../../../models/seeded-random.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemModel } from "../../../schemas/model.js";
import { historiesOf, madeUp } from "./made-up-split.js";

const random = new SeededRandom(4);
const made = madeUp(() => random.next() / 2 ** 32);
const shared = shareRows(historiesOf(made.train), historiesOf(made.test), [made.model]);
const OPTIONS = { k: 7, users: 1000, seed: 1 };
const later = (options: typeof OPTIONS) => alikeLater(shared, options);

/** By sets of names. */
function naiveJaccard(a: readonly string[], b: readonly string[]): number {
  const both = a.filter((item) => b.includes(item)).length;
  return both / new Set([...a, ...b]).size;
}

it("exactJaccard is the best that any k users can have", () => {
  const lists = Object.values(made.train);
  const expected = lists.map((own, user) => {
    const all = lists.flatMap((other, place) => (place === user ? [] : [naiveJaccard(own, other)]));
    return (
      all
        .sort((a, b) => b - a)
        .slice(0, 7)
        .reduce((sum, x) => sum + x, 0) / 7
    );
  });
  const found = exactJaccard(shared, OPTIONS).get("jaccard@7")!;
  expect(found).toHaveLength(40);
  for (const [user, value] of found.entries()) expect(value).toBeCloseTo(expected[user]!, 12);
});

/** One dimension an item: the cosine of two pools is then |both| / sqrt(|a| |b|). */
const oneHot = (items: readonly ItemId[]): ItemModel => {
  const dims = items.length;
  const values = Float32Array.from({ length: dims * dims }, (_, i) => (i % (dims + 1) === 0 ? 1 : 0));
  return { kind: "one-hot", items, input: { dims, values }, output: { dims, values }, score: "dot" };
};

it("neighbourJaccard is that of the k nearest by cosine of pooled vectors", async () => {
  const lists = Object.values(made.train);
  const model = oneHot(shared.items);
  const found = (await neighbourJaccard(usersByCosine(model, shared), shared, later(OPTIONS), OPTIONS)).get("jaccard@7")!;
  const most = exactJaccard(shared, OPTIONS).get("jaccard@7")!;
  for (const [user, own] of lists.entries()) {
    const near = lists.flatMap((other, place) => {
      const both = other.filter((item) => own.includes(item)).length;
      return place === user ? [] : [{ other, cosine: Math.round((1e9 * both) / Math.sqrt(own.length * other.length)) }];
    });
    near.sort((a, b) => b.cosine - a.cosine);
    // Users with the cosine of the last place may stand in for each other: only where they have one Jaccard is the sum known.
    const worst = near[6]!.cosine;
    const sure = near.filter(({ cosine }) => cosine > worst).map(({ other }) => naiveJaccard(own, other));
    const maybe = near
      .filter(({ cosine }) => cosine === worst)
      .map(({ other }) => naiveJaccard(own, other))
      .sort((a, b) => a - b);
    const sum = (of: readonly number[]): number => of.reduce((total, x) => total + x, 0);
    const left = 7 - sure.length;
    expect(found[user]! * 7).toBeGreaterThanOrEqual(sum(sure) + sum(maybe.slice(0, left)) - 1e-9);
    expect(found[user]! * 7).toBeLessThanOrEqual(sum(sure) + sum(maybe.slice(-left)) + 1e-9);
    expect(found[user]).toBeLessThanOrEqual(most[user]! + 1e-9);
  }
});

it("alikeLater knows the users whose items of test have most in common", () => {
  const users = Object.keys(made.train);
  const found = later(OPTIONS);
  for (const [u, user] of users.entries()) {
    const values = users.map((other) => naiveJaccard(made.test[user]!, made.test[other]!) || 0);
    const others = [...users.keys()].filter((v) => v !== u && values[v]! > 0);
    const best = others.sort((a, b) => values[b]! - values[a]! || a - b).slice(0, 7);
    expect([...found[u]!]).toEqual(best.sort((a, b) => a - b));
  }
});

it("finds those who are alike later where vectors say who they are, and asks nothing of who is alike nobody", async () => {
  const train = historiesOf({ a: ["x"], b: ["x"], c: ["y"], d: ["y"], e: ["z"] });
  const test = historiesOf({ a: ["s"], b: ["s"], c: ["t", "u", "s"], d: ["t", "u"], e: ["r"] });
  const rows = shareRows(train, test, []);
  const one = { k: 1, users: 10, seed: 1 };
  expect(alikeLater(rows, one).map((list) => [...list])).toEqual([[1], [0], [3], [2], []]);
  const found = await neighbourJaccard(usersByCosine(oneHot(rows.items), rows), rows, alikeLater(rows, one), one);
  expect([...found.get("recall@1")!]).toEqual([1, 1, 1, 1, Number.NaN]);
});

it("asks for a sample of the users, the same for each model", async () => {
  const some = { ...OPTIONS, users: 10 };
  expect((await neighbourJaccard(usersByCosine(made.model, shared), shared, later(some), some)).get("jaccard@7")).toHaveLength(10);
  expect(exactJaccard(shared, some)).toEqual(exactJaccard(shared, some));
  const all = [...exactJaccard(shared, OPTIONS).get("jaccard@7")!];
  for (const value of exactJaccard(shared, some).get("jaccard@7")!) expect(all).toContain(value);
});

it("knows the Jaccard of two lists", () => {
  expect(jaccard(Uint32Array.of(1, 4, 9), Uint32Array.of(0, 4, 9, 11))).toBe(2 / 5);
  expect(jaccard(Uint32Array.of(1), Uint32Array.of(2))).toBe(0);
});
