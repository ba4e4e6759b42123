import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TrainingSetBuilder } from "../../../models/training-set/training-set-builder.js";
import type { ItemId } from "../../../schemas/ids.js";

const item = (name: string): ItemId => name as ItemId;
const touch = fc.record({
  user: fc.integer({ min: 0, max: 12 }).map((n) => `u${n}`),
  item: fc.integer({ min: 0, max: 30 }).map((n) => item(`song:${n}`)),
  weight: fc.integer({ min: -2, max: 3 }),
  ts: fc.nat(1000),
  action: fc.constantFrom("play", "like", "skip"),
  scene: fc.option(fc.constantFrom("music", "live"), { nil: undefined }),
});

describe("TrainingSetBuilder", () => {
  it("adds up what each user did with each item, and keeps what weighs more than 0", () => {
    fc.assert(
      fc.property(fc.array(touch, { minLength: 1, maxLength: 400 }), (touches) => {
        const builder = new TrainingSetBuilder();
        builder.add("sure", item("song:0"));
        const wanted = new Map([["sure song:0", { weight: 1, ts: 0, actions: [] as string[], scenes: [] as string[] }]]);
        for (const { scene, ...one } of touches) {
          builder.add(one.user, one.item, { ...one, ...(scene && { scene }) });
          const key = `${one.user} ${one.item}`;
          const sum = wanted.get(key) ?? { weight: 0, ts: 0, actions: [], scenes: [] };
          wanted.set(key, {
            weight: sum.weight + one.weight,
            ts: Math.max(sum.ts, one.ts),
            actions: [...new Set([...sum.actions, one.action])].sort(),
            scenes: [...new Set([...sum.scenes, ...(scene ? [scene] : [])])].sort(),
          });
        }
        for (const [key, { weight }] of wanted) if (weight <= 0) wanted.delete(key);
        const { histories, weights, times, actions, actionNames = [], scenes, sceneNames = [] } = builder.build();
        const named = (bits: number | undefined, names: readonly string[]): string[] => names.filter((_, i) => (bits! >>> i) & 1).sort();
        const got = new Map<string, unknown>();
        for (const [u, user] of histories.users.entries())
          for (let at = histories.starts[u]!; at < histories.starts[u + 1]!; at++)
            got.set(`${user} ${histories.items[histories.rows[at]!]}`, {
              weight: weights?.[at] ?? 1,
              ts: times![at],
              actions: named(actions![at], actionNames),
              scenes: named(scenes?.[at], sceneNames),
            });
        expect(got).toEqual(wanted);
        expect(histories.rows.length).toBe(wanted.size);
        expect(new Set(histories.items).size).toBe(histories.items.length);
      }),
    );
  });

  it("numbers items and a user's history as they first came", () => {
    const builder = new TrainingSetBuilder();
    for (const name of ["b", "a", "c", "a"]) builder.add("u", item(name));
    builder.add("u", item("c"), { weight: -5 });
    const { histories } = builder.build();
    expect([histories.items, [...histories.rows]]).toEqual([
      ["b", "a"],
      [0, 1],
    ]);
  });

  it("forgets who is erased, and takes what they do afterwards", () => {
    const builder = new TrainingSetBuilder();
    builder.add("u", item("a"), { ts: 5, action: "like" });
    builder.add("v", item("a"), { ts: 6, action: "play" });
    builder.erase("u");
    builder.erase("nobody");
    builder.add("gone", item("a"), {});
    builder.erase("gone");
    builder.add("u", item("b"), { ts: 7, action: "play" });
    const { histories, times, actions, actionNames } = builder.build();
    expect(histories).toMatchObject({ users: ["u", "v"], items: ["b", "a"] });
    expect([...histories.starts]).toEqual([0, 1, 2]);
    expect([[...times!], [...actions!].map((bits) => actionNames![Math.log2(bits)])]).toEqual([
      [7, 6],
      ["play", "play"],
    ]);
  });

  it("knows side information of what somebody touched only, and users who did nothing", () => {
    const builder = new TrainingSetBuilder();
    builder.addUser("idle");
    builder.addInfo({ item: item("a"), type: "song" });
    builder.addInfo({ item: item("z"), type: "song" });
    builder.add("u", item("a"));
    const set = builder.build();
    expect(set.histories.users).toEqual(["idle", "u"]);
    expect([...set.infos!.keys()]).toEqual(["a"]);
    expect(Object.keys(set)).toEqual(["histories", "infos"]);
  });

  it("has no bit for what comes after 32 names", () => {
    const builder = new TrainingSetBuilder();
    for (let i = 0; i < 40; i++) builder.add("u", item(`${i}`), { action: `a${i}` });
    const { actions, actionNames } = builder.build();
    expect(actionNames).toHaveLength(32);
    expect([actions![31], actions![32]]).toEqual([2 ** 31, 0]);
  });

  it("refuses to make a set of nothing", () => {
    const builder = new TrainingSetBuilder();
    builder.add("u", item("a"), { weight: -1 });
    expect(() => builder.build()).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
