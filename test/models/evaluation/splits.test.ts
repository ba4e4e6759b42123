import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  cutLeaving,
  historiesInTime,
  holdOut,
  holdOutUsers,
  leaveLastOut,
  type Split,
  type SplitEvent,
  splitAtTime,
} from "../../../models/evaluation/splits.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { Histories } from "../../../schemas/model.js";
import { historiesOf } from "./made-up-split.js";

const event = (user: string, item: string, ts: number): SplitEvent => ({ user, item: item as ItemId, ts });
const byUser = ({ items, users, starts, rows }: Histories): Record<string, string[]> =>
  Object.fromEntries(users.map((user, u) => [user, Array.from(rows.subarray(starts[u], starts[u + 1]), (row) => items[row]!)]));
const read = ({ train, test }: Split) => ({ train: byUser(train), test: byUser(test) });

const anyEvents = fc.array(
  fc.record({ user: fc.constantFrom("u", "v", "w"), item: fc.constantFrom("a", "b", "c", "d"), ts: fc.integer({ min: 0, max: 5 }) }),
  { maxLength: 30 },
) as fc.Arbitrary<SplitEvent[]>;

describe("leaveLastOut", () => {
  it("holds out the item that was found last, not the one that was played last", () => {
    const split = leaveLastOut([
      event("u", "old", 1),
      event("u", "new", 5),
      event("u", "mid", 3),
      event("u", "old", 9),
      event("v", "x", 2),
    ]);
    expect(read(split)).toEqual({ train: { u: ["old", "mid"], v: ["x"] }, test: { u: ["new"] } });
  });

  it("takes the later in the list of two at one time", () => {
    const split = leaveLastOut([event("u", "a", 1), event("u", "b", 7), event("u", "c", 7), event("u", "a", 7)]);
    expect(read(split).test).toEqual({ u: ["c"] });
  });

  it("gives every item of a user to one side, one of them to test where there are two", () => {
    fc.assert(
      fc.property(anyEvents, (events) => {
        const { train, test } = read(leaveLastOut(events));
        for (const user of new Set(events.map((e) => e.user))) {
          const all = [...new Set(events.filter((e) => e.user === user).map((e) => e.item as string))].sort();
          expect([...(train[user] ?? []), ...(test[user] ?? [])].sort()).toEqual(all);
          expect(test[user]?.length ?? 0).toBe(all.length > 1 ? 1 : 0);
        }
      }),
    );
  });
});

describe("splitAtTime", () => {
  it("keeps equal times together, and does not test what was known before", () => {
    const events = [event("u", "a", 1), event("u", "b", 4), event("v", "a", 4), event("u", "c", 3), event("u", "a", 5), event("w", "d", 3)];
    expect(read(splitAtTime(events, 4))).toEqual({ train: { u: ["a", "c"], w: ["d"] }, test: { u: ["b"], v: ["a"] } });
  });

  it("never has an event of the future in train", () => {
    fc.assert(
      fc.property(anyEvents, fc.integer({ min: 0, max: 6 }), (events, cut) => {
        const { train, test } = read(splitAtTime(events, cut));
        const known = (user: string, item: string): boolean => events.some((e) => e.user === user && e.item === item && e.ts < cut);
        for (const [user, items] of Object.entries(train)) for (const item of items) expect(known(user, item)).toBe(true);
        for (const [user, items] of Object.entries(test)) for (const item of items) expect(known(user, item)).toBe(false);
        const pairs = new Set(events.map((e) => `${e.user} ${e.item}`)).size;
        expect([...Object.values(train), ...Object.values(test)].flat()).toHaveLength(pairs);
      }),
    );
  });

  it("cuts so that the share is test, or more where times are equal", () => {
    const events = [3, 1, 2, 5, 4].map((ts) => event("u", `i${ts}`, ts));
    expect(cutLeaving(events, 0.4)).toBe(4);
    expect(read(splitAtTime(events, cutLeaving(events, 0.4))).test).toEqual({ u: ["i5", "i4"] });
    const equal = [1, 2, 2, 2, 3].map((ts, i) => event("u", `i${i}`, ts));
    expect(cutLeaving(equal, 0.4)).toBe(2);
    expect(() => cutLeaving([], 0.5)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    for (const share of [0, 1, Number.NaN]) expect(() => cutLeaving(events, share)).toThrow("between 0 and 1");
  });

  it("refuses a time that is none", () => {
    expect(() => splitAtTime([event("u", "a", Number.NaN)], 0)).toThrow("(event 0)");
  });
});

describe("holdOut", () => {
  const all = historiesOf({ u: ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"], v: ["a"], w: ["b", "c"], x: ["b", "b"] });

  it("takes the share of each user's items, one at least of two, and leaves one item alone", () => {
    const { train, test } = read(holdOut(all, 0.25, 1));
    expect([train["u"]!.length, test["u"]!.length]).toEqual([8, 2]);
    expect([...train["u"]!, ...test["u"]!].sort()).toEqual([..."abcdefghij"]);
    expect([train["w"]!.length, test["w"]!.length]).toEqual([1, 1]);
    expect([train["v"], test["v"], train["x"], test["x"]]).toEqual([["a"], undefined, ["b"], undefined]);
  });

  it("draws the same for a seed, another for another, each item about as often", () => {
    expect(read(holdOut(all, 0.25, 1))).toEqual(read(holdOut(all, 0.25, 1)));
    const drawn = new Map<string, number>();
    for (let seed = 0; seed < 1000; seed++)
      for (const item of read(holdOut(all, 0.25, seed)).test["u"]!) drawn.set(item, (drawn.get(item) ?? 0) + 1);
    expect(drawn.size).toBe(10);
    // 200 expected, standard deviation 13.
    for (const count of drawn.values()) expect(Math.abs(count - 200)).toBeLessThan(65);
  });

  it("keeps the numbering of the items", () => {
    expect(holdOut(all, 0.5, 1).train.items).toEqual(all.items);
  });
});

describe("holdOutUsers", () => {
  const all = historiesOf(
    Object.fromEntries(Array.from({ length: 20 }, (_, u) => [`u${u}`, ["a", "b", `c${u}`].slice(0, u === 0 ? 1 : 3)])),
  );

  it("gives each user to one side with all that they have, and needs two items to test somebody", () => {
    for (let seed = 0; seed < 30; seed++) {
      const { train, test } = read(holdOutUsers(all, 0.25, seed, "as it is"));
      expect([Object.keys(train).length, Object.keys(test).length]).toEqual([16, 4]);
      expect({ ...train, ...test }).toEqual(byUser(all));
      expect(test).not.toHaveProperty("u0");
    }
  });

  it("draws the same for a seed, and shuffles only when told: every item is first about as often", () => {
    expect(read(holdOutUsers(all, 0.5, 7, "shuffled"))).toEqual(read(holdOutUsers(all, 0.5, 7, "shuffled")));
    const two = historiesOf({ u: ["a", "b", "c"], v: ["a"] });
    const first = new Map<string, number>();
    for (let seed = 0; seed < 900; seed++) {
      const { test } = read(holdOutUsers(two, 0.5, seed, "shuffled"));
      expect([...test["u"]!].sort()).toEqual(["a", "b", "c"]);
      first.set(test["u"]![0]!, (first.get(test["u"]![0]!) ?? 0) + 1);
    }
    // 300 expected, standard deviation 14.
    for (const count of first.values()) expect(Math.abs(count - 300)).toBeLessThan(70);
  });

  it("refuses where nobody is left on one side", () => {
    const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    expect(() => holdOutUsers(historiesOf({ u: ["a"], v: ["b"] }), 0.5, 1, "as it is")).toThrow(refused);
    expect(() => holdOutUsers(historiesOf({ u: ["a", "b"] }), 0.5, 1, "as it is")).toThrow(refused);
    expect(() => holdOutUsers(all, 1, 1, "as it is")).toThrow(refused);
  });
});

it("historiesInTime has each item where its first event was, in order of time", () => {
  const events = [event("u", "late", 9), event("u", "b", 4), event("v", "x", 1), event("u", "a", 4), event("u", "late", 2)];
  expect(byUser(historiesInTime(events))).toEqual({ u: ["late", "b", "a"], v: ["x"] });
});
