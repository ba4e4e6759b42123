import { describe, expect, it } from "vitest";
import { drift, gate, partNewest } from "../../../models/evaluation/retraining.js";
import { trainingDataOf } from "../../../models/training-set/training-set.js";
import { TrainingSetBuilder } from "../../../models/training-set/training-set-builder.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemModel, TrainingSet } from "../../../schemas/model.js";

const GATE = { tolerance: 0, users: 1_000, leastUsers: 1, seed: 1 };

function setOf(touches: readonly (readonly [user: string, item: string, ts: number])[]): TrainingSet {
  const builder = new TrainingSetBuilder();
  for (const [user, item, ts] of touches) builder.add(user, item as ItemId, { ts, weight: ts, action: `a${ts}` });
  return builder.build();
}

const pairsOf = ({ users, items, starts, rows }: TrainingSet["histories"]): string[] =>
  users.flatMap((user, u) => Array.from(rows.subarray(starts[u], starts[u + 1]), (row) => `${user} ${items[row]}`));

/** Items in two groups: users pool the one, and are given the one or the other. */
function grouped(items: readonly string[], groupOf: (item: string) => number, turned = false): ItemModel {
  const table = (swap: boolean): ItemModel["input"] => ({
    dims: 2,
    values: Float32Array.from(items.flatMap((item) => (groupOf(item) === Number(swap) ? [1, 0] : [0, 1]))),
  });
  return { kind: "graph", items: items as ItemId[], input: table(false), output: table(turned), score: "dot" };
}

describe("partNewest", () => {
  const set = setOf([
    ["u", "a", 1],
    ["u", "b", 4],
    ["v", "b", 2],
    ["v", "c", 3],
    ["w", "d", 4],
  ]);

  it("asks for the newest, never tearing one time apart, and keeps what else is known of the rest in its place", () => {
    const { known, asked, from } = partNewest(set, { share: 0.2 });
    expect(from).toBe(4);
    expect(pairsOf(asked)).toEqual(["u b", "w d"]);
    expect(pairsOf(known.histories)).toEqual(["u a", "v b", "v c"]);
    expect([...known.times!]).toEqual([1, 2, 3]);
    expect([...known.weights!]).toEqual([1, 2, 3]);
    expect(Array.from(known.actions!, (bits) => known.actionNames![31 - Math.clz32(bits)])).toEqual(["a1", "a2", "a3"]);
    expect(trainingDataOf(known).newest).toBe(3);
  });

  it("asks for nothing that the served model was trained on", () => {
    expect(partNewest(set, { share: 0.9, after: 2 }).from).toBe(3);
    expect(() => partNewest(set, { share: 0.5, after: 4 })).toThrow(/nothing came after/);
  });

  it("refuses histories without times, and those of one moment", () => {
    const { times: _, ...timeless } = set;
    expect(() => partNewest(timeless, { share: 0.5 })).toThrow(/not known/);
    expect(() => partNewest(setOf([["u", "a", 1]]), { share: 0.5 })).toThrow(/one time/);
  });
});

describe("drift", () => {
  it("is the share of new interactions with items that the model does not know", () => {
    const set = setOf([
      ["u", "a", 1],
      ["u", "x", 5],
      ["v", "a", 6],
      ["v", "y", 7],
      ["w", "b", 8],
    ]);
    const model = { items: ["a", "b"] as ItemId[] };
    expect(drift(set, model, 0)).toBe(0.4);
    expect(drift(set, model, 5)).toBe(0.5);
    expect(drift(set, model, 9)).toBe(0);
  });
});

describe("the gate", () => {
  const items = Array.from({ length: 60 }, (_, i) => `i${i}`);
  const group = (item: string): number => Number(item.slice(1)) % 2;
  // Everybody has all of their group but one, and gets that one last.
  const set = setOf(
    Array.from({ length: 40 }, (_, u) =>
      items.filter((item) => group(item) === u % 2).map((item, i) => [`u${u}`, item, i === u % 30 ? 2 : 1] as const),
    ).flat(),
  );
  const parted = partNewest(set, { share: 0.01 });
  const good = grouped(items, group);
  const bad = grouped(items, group, true);

  it("lets pass what finds the newest as well as what is served, and nothing that finds less", async () => {
    expect(await gate(good, good, parted, GATE)).toMatchObject({ passed: true, against: "served" });
    expect(await gate(good, bad, parted, GATE)).toMatchObject({ passed: true });
    const refused = await gate(bad, good, parted, GATE);
    expect(refused.passed).toBe(false);
    expect(refused.candidate).toBeLessThan(refused.base);
    expect(await gate(bad, good, parted, { ...GATE, tolerance: 1 })).toMatchObject({ passed: true });
  });

  it("holds a first model against popularity", async () => {
    expect(await gate(good, undefined, parted, GATE)).toMatchObject({ against: "popularity" });
  });

  it("does not judge by too few", async () => {
    await expect(gate(good, good, parted, { ...GATE, leastUsers: 100 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
