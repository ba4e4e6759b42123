import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryReadModel } from "../../../index/read-model/memory-read-model.js";
import type { ReadModelLimits } from "../../../index/read-model/read-model-limits.js";
import type { ReadModelReader, ReadModelWriter } from "../../../schemas/ports/read-model.js";
import { expectSameAnswers, item, replay, row, SMALL_LIMITS, type Step, steps, user } from "./random-batches.js";

export type Model = ReadModelWriter & ReadModelReader;

/** The suite that every read model runs. `open` gives an empty one, `close` frees it, `reopen` saves it and opens what was saved. */
export interface Subject {
  open(limits?: Partial<ReadModelLimits>): Model;
  close(model: Model): void;
  reopen?(model: Model, limits: Partial<ReadModelLimits>): Promise<Model>;
}

export function runReadModelConformance(name: string, subject: Subject): void {
  describe(`${name} as a read model`, () => {
    let model: Model;
    beforeEach(() => {
      model = subject.open();
    });
    afterEach(() => subject.close(model));
    const publish = (...rows: ReturnType<typeof row>[]) => replay(model, { kind: "apply", partition: 0, rows, erased: [] });

    describeUsersAndItems(() => model, publish);
    describeRecall(() => model, publish);
    describeRefusals(() => model, publish);
  });
  describeOracle(name, subject);
}

type Publish = (...rows: ReturnType<typeof row>[]) => Uint32Array;

function describeUsersAndItems(model: () => Model, publish: Publish): void {
  test("a published row is read back as it was", () => {
    expect([
      ...publish(row("u:1", { "song:1": 2.5, "song:2": -1 }, 0x00ff_0000_1234_5678n, { events: 7, updatedAt: 1234, offset: 9 })),
    ]).toEqual([0]);
    expect(model().user(user("u:1"))).toEqual({
      ordinal: 0,
      user: "u:1",
      fingerprint: "00ff000012345678",
      events: 7,
      updatedAt: 1234,
      partition: 0,
      offset: 9,
      items: ["song:1", "song:2"],
      weights: Float32Array.of(2.5, -1),
    });
    expect(model().item(item("song:1"))).toEqual({ ordinal: 0, item: "song:1", users: 1, infoJson: null });
    expect(model().item(item("song:2"))?.users).toBe(0);
  });

  test("an unknown id is undefined, and so is one with half a surrogate pair", () => {
    expect(model().user(user("nobody"))).toBeUndefined();
    expect(model().userOrdinal(user("\ud800"))).toBeUndefined();
    expect(model().item(item("nothing"))).toBeUndefined();
    expect(model().itemOrdinal(item("x".repeat(500)))).toBeUndefined();
    expect(model().itemOrdinal(item(""))).toBeUndefined();
  });

  test("ids of any script are kept, told apart and looked up", () => {
    const ids = ["héron", "he\u0301ron", "音乐", "🎧", "a\u0000b", "a", "\uffff", "x".repeat(128), "🎧".repeat(64)];
    publish(...ids.map((id) => row(id, { [id]: 1 })));
    expect(model().userIds(Uint32Array.from(ids.keys()))).toEqual(ids);
    expect(model().itemIds(Uint32Array.from(ids.keys()))).toEqual(ids);
    expect(ids.map((id) => model().userOrdinal(user(id)))).toEqual([...ids.keys()]);
  });

  test("no fingerprint is null, not zero", () => {
    publish(row("u:1", {}, null), row("u:2", {}, 0n));
    expect(model().user(user("u:1"))?.fingerprint).toBeNull();
    expect(model().user(user("u:2"))?.fingerprint).toBe("0".repeat(16));
  });

  test("an erased user is gone, and comes back as somebody else", () => {
    publish(row("u:1", { "song:1": 1 }, 5n), row("u:2", { "song:1": 1 }, 5n));
    replay(model(), { kind: "apply", partition: 0, rows: [], erased: ["u:1", "never seen"] });
    expect(model().user(user("u:1"))).toBeUndefined();
    expect(model().userOrdinal(user("u:1"))).toBeUndefined();
    expect(model().userIds(Uint32Array.of(0, 1))).toEqual(["", "u:2"]);
    expect(model().item(item("song:1"))?.users).toBe(1);
    expect([...model().recentUsers(10)]).toEqual([1]);
    expect([...model().listenersOf(0 as never, 10)]).toEqual([1]);
    expect([...publish(row("u:1", {}))]).toEqual([2]);
    expect(model().stats().users).toBe(2);
  });

  test("in one batch the erasure comes before the row", () => {
    publish(row("u:1", { "song:1": 1 }));
    replay(model(), { kind: "apply", partition: 0, rows: [row("u:1", { "song:2": 1 })], erased: ["u:1"] });
    expect(model().user(user("u:1"))).toMatchObject({ ordinal: 1, items: ["song:2"] });
    expect(model().item(item("song:1"))?.users).toBe(0);
  });

  test("side information is given back as it was put, and replaced", () => {
    publish(row("u:1", { "song:1": 1 }));
    model().putItemInfo([item("song:1"), item("song:new")], ['{"title":"é🎧"}', "{}"]);
    expect(model().itemInfoJson(Uint32Array.of(0, 1, 0))).toEqual(['{"title":"é🎧"}', "{}", '{"title":"é🎧"}']);
    model().putItemInfo([item("song:1")], ["{}"]);
    expect(model().item(item("song:1"))?.infoJson).toBe("{}");
    expect(model().item(item("song:new"))).toEqual({ ordinal: 1, item: "song:new", users: 0, infoJson: "{}" });
  });

  test("the applied position is what was set, by partition, and never goes back", () => {
    expect(model().applied()).toEqual({ position: new Map(), eventTime: 0 });
    replay(model(), { kind: "applied", partition: 0, offset: 10, eventTime: 50 });
    replay(model(), { kind: "applied", partition: 3, offset: 2 ** 40, eventTime: 40 });
    replay(model(), { kind: "applied", partition: 0, offset: 9, eventTime: 45 });
    expect(model().applied()).toEqual({
      position: new Map([
        [0, 10],
        [3, 2 ** 40],
      ]),
      eventTime: 50,
    });
  });
}

function describeRecall(model: () => Model, publish: Publish): void {
  test("fingerprints within a distance, nearest first, ties by id", async () => {
    publish(row("me", {}, 0n), row("far", {}, 0xfn), row("b", {}, 1n << 63n), row("a", {}, 1n), row("same", {}, 0n), row("none", {}, null));
    const three = await model().nearFingerprints(0 as never, 3, 10);
    expect(model().userIds(three.ordinals)).toEqual(["same", "a", "b"]);
    expect([...three.distances]).toEqual([0, 1, 1]);
    expect(three.truncated).toBe(false);
    expect(model().userIds((await model().nearFingerprints(0 as never, 64, 2)).ordinals)).toEqual(["same", "a"]);
    expect(model().userIds((await model().nearFingerprints(0 as never, 4, 9)).ordinals)).toEqual(["same", "a", "b", "far"]);
    expect([...model().fingerprintDistances(0 as never, Uint32Array.of(1, 5, 0, 1))]).toEqual([4, 255, 0, 4]);
    expect((await model().nearFingerprints(5 as never, 3, 10)).ordinals).toHaveLength(0);
  });

  test("a fingerprint that changed is found where it is, not where it was", async () => {
    publish(row("me", {}, 0n), row("mover", {}, 0n));
    publish(row("mover", {}, 0xffff_0000_0000_0000n));
    expect((await model().nearFingerprints(0 as never, 3, 10)).ordinals).toHaveLength(0);
    publish(row("mover", {}, 0x0001_0000_0000_0000n));
    expect([...(await model().nearFingerprints(0 as never, 3, 10)).ordinals]).toEqual([1]);
    publish(row("mover", {}, null));
    expect((await model().nearFingerprints(0 as never, 3, 10)).ordinals).toHaveLength(0);
  });

  test("items of neighbours: shares of their weight, by score, with who brought them", async () => {
    publish(row("n:1", { a: 3, b: 1, c: -2 }), row("n:2", { b: 1 }), row("n:3", { d: 1 }));
    const ids = (names: string[]) => Uint32Array.from(names, (name) => model().itemOrdinal(item(name))!);
    const found = await model().itemsOfNeighbors(Uint32Array.of(0, 1, 2), Float32Array.of(1, 0.5, 0), ids(["a"]), 10);
    expect(model().itemIds(found.ordinals)).toEqual(["b"]);
    expect([...found.scores]).toEqual([0.75]);
    expect([...found.via]).toEqual([1]);
    const all = await model().itemsOfNeighbors(Uint32Array.of(0, 1), Float32Array.of(1, 0.5), new Uint32Array(), 10);
    expect(model().itemIds(all.ordinals)).toEqual(["a", "b"]);
    expect([...all.via]).toEqual([0, 1]);
  });

  test("co-occurrence is the cosine over the seeds' listeners; negative seeds take away", async () => {
    publish(row("u:1", { s: 1, a: 1 }), row("u:2", { s: 1, a: 1, b: 1 }), row("u:3", { b: 1 }), row("u:4", { t: 1, b: 1 }));
    const [s, t] = [model().itemOrdinal(item("s"))!, model().itemOrdinal(item("t"))!];
    const one = await model().coOccurring(Uint32Array.of(s), Float32Array.of(1), new Uint32Array(), 10);
    expect(model().itemIds(one.ordinals)).toEqual(["a", "b"]);
    expect([...one.scores]).toEqual([1, Math.fround(1 / Math.sqrt(6))]);
    const two = await model().coOccurring(Uint32Array.of(s, t), Float32Array.of(1, -1), new Uint32Array(), 10);
    expect(model().itemIds(two.ordinals)).toEqual(["a"]);
  });

  test("popular items by their users, and users by their newest publication", () => {
    publish(row("u:1", { b: 1, a: 1 }), row("u:2", { b: 1, c: -1 }), row("u:3", { a: 1, d: 1 }));
    publish(row("u:1", { b: 1, a: 1 }));
    expect(model().itemIds(model().popularItems(10).ordinals)).toEqual(["a", "b", "d"]);
    expect([...model().popularItems(2).scores]).toEqual([2, 2]);
    expect(model().userIds(model().recentUsers(2))).toEqual(["u:1", "u:3"]);
  });
}

function describeRefusals(model: () => Model, publish: Publish): void {
  const refused = { code: "INVALID_ARGUMENT" };
  const bad: [string, ReturnType<typeof row>][] = [
    ["an empty id", row("", {})],
    ["an id too long", row("x".repeat(129), {})],
    ["half a surrogate pair", row("\ud83c", {})],
    ["an item too long", row("u", { ["x".repeat(129)]: 1 })],
    ["a weight that is no number", row("u", { a: Number.NaN })],
    ["an infinite weight", row("u", { a: Number.POSITIVE_INFINITY })],
    ["weights missing", { ...row("u", { a: 1, b: 1 }), weights: new Float32Array(1) }],
    ["an item twice", { ...row("u", { a: 1, b: 1 }), items: [item("a"), item("a")] }],
    ["a negative offset", row("u", {}, null, { offset: -1 })],
    ["half an event", row("u", {}, null, { events: 0.5 })],
    ["a time that is none", row("u", {}, null, { updatedAt: Number.NaN })],
  ];
  test.each(bad)("a row with %s is refused, and nothing of its batch applied", (_, wrong) => {
    expect(() => publish(row("good", { fine: 1 }), wrong)).toThrow(expect.objectContaining(refused));
    expect(model().userOrdinal(user("good"))).toBeUndefined();
    expect(model().itemOrdinal(item("fine"))).toBeUndefined();
    expect(model().stats()).toMatchObject({ users: 0, items: 0 });
  });

  test("ordinals that were never given are refused", async () => {
    publish(row("u", { a: 1 }));
    const [none, one, unknown] = [new Uint32Array(), Float32Array.of(1), Uint32Array.of(1)];
    expect(() => model().userIds(unknown)).toThrow(expect.objectContaining(refused));
    expect(() => model().itemIds(Uint32Array.of(4294967295))).toThrow(expect.objectContaining(refused));
    expect(() => model().itemInfoJson(unknown)).toThrow(expect.objectContaining(refused));
    expect(() => model().fingerprintDistances(0 as never, unknown)).toThrow(expect.objectContaining(refused));
    await expect(model().nearFingerprints(1 as never, 3, 10)).rejects.toMatchObject(refused);
    await expect(model().itemsOfNeighbors(unknown, one, none, 10)).rejects.toMatchObject(refused);
    await expect(model().coOccurring(unknown, one, none, 10)).rejects.toMatchObject(refused);
    await expect(model().coOccurring(Uint32Array.of(0), one, unknown, 10)).rejects.toMatchObject(refused);
  });

  test("distances, limits, scores and positions out of range are refused", async () => {
    publish(row("u", { a: 1 }, 1n));
    const zero = Uint32Array.of(0);
    for (const distance of [-1, 65, 1.5, Number.NaN])
      await expect(model().nearFingerprints(0 as never, distance, 1)).rejects.toMatchObject(refused);
    for (const limit of [-1, 0.5, 2 ** 32, Number.NaN])
      await expect(model().coOccurring(zero, Float32Array.of(1), zero, limit)).rejects.toMatchObject(refused);
    expect(() => model().popularItems(-1)).toThrow(expect.objectContaining(refused));
    expect(() => model().recentUsers(Number.NaN)).toThrow(expect.objectContaining(refused));
    expect(() => model().listenersOf(0 as never, -1)).toThrow(expect.objectContaining(refused));
    expect(() => model().listenersOf(7 as never, 1)).toThrow(expect.objectContaining(refused));
    await expect(model().itemsOfNeighbors(zero, Float32Array.of(Number.NaN), zero, 1)).rejects.toMatchObject(refused);
    await expect(model().itemsOfNeighbors(zero, new Float32Array(2), zero, 1)).rejects.toMatchObject(refused);
    expect(() => model().setApplied(-1 as never, 1 as never, 0)).toThrow(expect.objectContaining(refused));
    expect(() => model().setApplied(0 as never, 1.5 as never, 0)).toThrow(expect.objectContaining(refused));
    expect(() => model().putItemInfo([item("a")], [])).toThrow(expect.objectContaining(refused));
  });
}

function describeOracle(name: string, subject: Subject): void {
  describe(`${name} against the oracle`, () => {
    test("answers every question alike, after any steps", async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (all: Step[]) => {
          const model = subject.open(SMALL_LIMITS);
          try {
            const oracle = new MemoryReadModel(SMALL_LIMITS);
            for (const step of all) expect(replay(model, step)).toEqual(replay(oracle, step));
            await expectSameAnswers(model, oracle);
          } finally {
            subject.close(model);
          }
        }),
        { numRuns: 150 },
      );
    });

    test.skipIf(subject.reopen === undefined)("saved and reopened it answers the same, and goes on the same", async () => {
      await fc.assert(
        fc.asyncProperty(steps, steps, async (before: Step[], after: Step[]) => {
          const oracle = new MemoryReadModel(SMALL_LIMITS);
          const first = subject.open(SMALL_LIMITS);
          for (const step of before) expect(replay(first, step)).toEqual(replay(oracle, step));
          const second = await subject.reopen!(first, SMALL_LIMITS);
          try {
            await expectSameAnswers(second, oracle);
            for (const step of after) expect(replay(second, step)).toEqual(replay(oracle, step));
            await expectSameAnswers(second, oracle);
          } finally {
            subject.close(first);
            subject.close(second);
          }
        }),
        { numRuns: 40 },
      );
    });
  });
}
