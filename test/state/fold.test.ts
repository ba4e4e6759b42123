import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RandomIndexing } from "../../models/item-vectors/random-indexing.js";
import type { Catalogue } from "../../schemas/catalogue.js";
import type { ItemId, UserId } from "../../schemas/ids.js";
import type { LogRecord } from "../../schemas/log-record.js";
import { finish, recompute } from "../../state/derived-fields.js";
import { MAX_ENTRY_WEIGHT } from "../../state/event-weight.js";
import { blankRow, eraseUser, type FoldOutcome, foldEvent, migrateRow } from "../../state/fold.js";
import { FoldContext } from "../../state/fold-context.js";
import type { FoldNumbers } from "../../state/fold-settings.js";
import { ItemTable } from "../../state/item-table.js";
import { UserRow } from "../../state/user-row.js";
import { catalogueOf, DAY, event } from "./fold-fixture.js";

/** One user's row under one catalogue after another. */
class Bench {
  readonly items = new ItemTable();
  context: FoldContext;
  readonly user: UserRow;

  constructor(catalogue: Catalogue) {
    this.context = new FoldContext(catalogue, 1, this.items, (ref) => RandomIndexing.of(ref));
    this.user = new UserRow("u" as UserId, blankRow(this.context, 0, 0));
  }

  static with(numbers: Partial<FoldNumbers> = {}): Bench {
    return new Bench(catalogueOf(1, numbers));
  }

  fold(...records: LogRecord[]): FoldOutcome[] {
    const outcomes = records.map((record) => {
      if (record.kind !== "event") throw new Error("events only");
      return foldEvent(this.user, record.event, 1, this.context);
    });
    finish(this.user, this.context);
    return outcomes;
  }

  activate(catalogue: Catalogue): void {
    this.context = new FoldContext(catalogue, this.context.activation + 1, this.items, (ref) => RandomIndexing.of(ref));
    migrateRow(this.user, this.context);
    finish(this.user, this.context);
  }

  /** [item, weight at its own landmark, effective weight], in order. */
  get profile(): [string, number, number][] {
    const { row, effective } = this.user;
    return Array.from({ length: row.entryCount }, (_, i) => [this.items.id(row.entryItem(i)), row.entryWeight(i), effective[i] as number]);
  }
}

const DAILY: Partial<FoldNumbers> = { halfLifeDays: 1, gridDays: 1, profileItems: 8 };

describe("foldEvent", () => {
  it("adds up what a user did with an item, and takes away for negative actions", () => {
    const bench = Bench.with({ halfLifeDays: null });
    bench.fold(
      event("u", "a", 1, { action: "play" }),
      event("u", "b", 1, { action: "like" }),
      event("u", "a", 2, { action: "dislike" }),
      event("u", "c", 2, { action: "skip" }),
    );
    expect(bench.profile).toEqual([
      ["b", 3072, 3072],
      ["a", -2048, -2048],
      ["c", -1024, -1024],
    ]);
    expect(bench.user.row.totalWeight).toBe(6144);
    const pool = bench.context.pools[0]!;
    const mean = new Float32Array(8);
    pool.writeMean(bench.user.row.f64, bench.user.row.sumsAt[0]!, bench.user.row.totalWeight, mean, 0);
    const vectors = new RandomIndexing(8, 1);
    const expected = Array.from(
      { length: 8 },
      (_, d) =>
        (3072 * vectors.vector("b" as ItemId)[d]! - 2048 * vectors.vector("a" as ItemId)[d]! - 1024 * vectors.vector("c" as ItemId)[d]!) /
        6144,
    );
    expect([...mean]).toEqual([...Float32Array.from(expected)]);
  });

  it("decays in event time: the older weight to the newer's landmark, then adds", () => {
    const bench = Bench.with(DAILY);
    bench.fold(event("u", "a", 10), event("u", "b", 12), event("u", "a", 12));
    expect(bench.profile).toEqual([
      ["a", 3072 / 4 + 3072, 3840],
      ["b", 3072, 3072],
    ]);
  });

  it("decays a late event against what is there, and leaves times and landmark alone", () => {
    const bench = Bench.with(DAILY);
    bench.fold(event("u", "a", 12), event("u", "a", 10), event("u", "late", 11));
    expect(bench.profile).toEqual([
      ["a", 3072 + 768, 3840],
      ["late", 3072, 1536],
    ]);
    expect([bench.user.row.landmark, bench.user.row.updatedAt, bench.user.row.entryTs(0)]).toEqual([12, 12 * DAY, 12 * DAY]);
  });

  it("orders by strength, ties by id", () => {
    const bench = Bench.with({ halfLifeDays: null });
    bench.fold(
      event("u", "m", 1),
      event("u", "z", 1),
      event("u", "a", 1),
      event("u", "k", 1, { action: "dislike" }),
      event("u", "b", 1, { action: "gift" }),
    );
    expect(bench.profile.map(([item]) => item)).toEqual(["b", "a", "k", "m", "z"]);
  });

  it("lets the weakest go when full, ties by older time, then by lower id", () => {
    const bench = Bench.with({ ...DAILY, halfLifeDays: null });
    bench.fold(
      ...["h", "g", "f", "e", "d", "c", "b"].map((item) => event("u", item, item === "c" || item === "f" ? 1 : 2)),
      event("u", "weak", 3, { action: "play" }),
    );
    bench.fold(event("u", "new1", 3));
    expect(bench.profile.map(([item]) => item)).toEqual(["b", "c", "d", "e", "f", "g", "h", "new1"]);
    bench.fold(event("u", "new2", 3));
    expect(bench.profile.map(([item]) => item)).toEqual(["b", "d", "e", "f", "g", "h", "new1", "new2"]);
    bench.fold(event("u", "new3", 3, { action: "play" }));
    expect(bench.profile.map(([item]) => item)).toEqual(["b", "d", "e", "g", "h", "new1", "new2", "new3"]);
  });

  it("gives a late newcomer that is weaker than all no place, but counts it", () => {
    const bench = Bench.with(DAILY);
    bench.fold(...["a", "b", "c", "d", "e", "f", "g", "h"].map((item) => event("u", item, 20)), event("u", "late", 18));
    expect(bench.profile.map(([item]) => item)).not.toContain("late");
    expect(bench.user.row.events).toBe(9);
    bench.fold(event("u", "today", 20, { action: "play" }));
    expect(bench.profile.map(([item]) => item)).toContain("today");
  });

  it("counts an id once within the ring", () => {
    const bench = Bench.with({ idempotencyRing: 2 });
    expect(bench.fold(...["x", "x", "y", "x", "z", "x"].map((id) => event("u", "a", 1, { id })))).toEqual([
      "folded",
      "duplicate",
      "folded",
      "duplicate",
      "folded",
      "folded",
    ]);
    expect(bench.user.row.events).toBe(4);
    const off = Bench.with({ idempotencyRing: 0 });
    expect(off.fold(event("u", "a", 1, { id: "x" }), event("u", "a", 1, { id: "x" }))).toEqual(["folded", "folded"]);
  });

  it("counts an action without a weight and leaves the profile as it is", () => {
    const bench = Bench.with();
    bench.fold(event("u", "a", 1, { action: "unheard of" }));
    expect([bench.user.row.events, bench.profile.length, bench.user.row.hasFingerprint, bench.items.size]).toEqual([1, 0, false, 0]);
  });

  it("clamps what one item can weigh", () => {
    const bench = Bench.with({ actions: { gift: 64 }, values: { gift: { unit: 1e-9, maxScale: 64 } }, halfLifeDays: null });
    bench.fold(...Array.from({ length: 80 }, () => event("u", "a", 1, { action: "gift", value: 1e300 })));
    expect(bench.profile).toEqual([["a", MAX_ENTRY_WEIGHT, MAX_ENTRY_WEIGHT]]);
  });

  it("has no fingerprint and no vector where likes and dislikes cancel", () => {
    const bench = Bench.with();
    bench.fold(event("u", "a", 1), event("u", "a", 1, { action: "dislike" }));
    expect([bench.user.row.hasFingerprint, bench.user.row.totalWeight, bench.profile]).toEqual([false, 0, [["a", 0, 0]]]);
  });

  it("keeps by increments exactly what the profile gives, whatever is folded", () => {
    const one = fc.record({
      item: fc.nat(20),
      day: fc.integer({ min: 0, max: 200 }),
      action: fc.constantFrom("play", "like", "dislike", "gift"),
      value: fc.double({ min: 0, max: 1e5, noNaN: true }),
    });
    const numbers = fc.record({
      profileItems: fc.integer({ min: 8, max: 16 }),
      halfLifeDays: fc.constantFrom(null, 3, 90),
      gridDays: fc.constantFrom(1, 7),
      keywords: fc.record({
        weights: fc.constantFrom({}, { items: 1.7 }, { items: 0.3 }),
        top: fc.constantFrom({ tags: 0, creators: 0, items: 0 }, { tags: 0, creators: 0, items: 4 }),
      }),
    });
    fc.assert(
      fc.property(fc.array(fc.array(one, { maxLength: 10 }), { maxLength: 12 }), numbers, (batches, settings) => {
        const bench = Bench.with(settings);
        for (const batch of batches) {
          bench.fold(...batch.map(({ item, day, action, value }) => event("u", `i${item}`, day, { action, value })));
          const kept = bench.user.row.encode();
          const order = bench.profile;
          bench.user.refresh(bench.context.decay);
          bench.user.sort(bench.items);
          recompute(bench.user, bench.context);
          expect(bench.profile).toEqual(order);
          expect(bench.user.row.encode()).toEqual(kept);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("eraseUser", () => {
  it("leaves nothing but when the user was erased; later events count, earlier ones never", () => {
    const bench = Bench.with();
    bench.fold(event("u", "a", 10, { id: "x" }));
    eraseUser(bench.user, 20 * DAY, bench.context);
    expect([bench.user.exists, bench.user.row.erasureEpoch, bench.profile.length]).toEqual([false, 1, 0]);
    expect(bench.fold(event("u", "a", 20, { id: "x" }), event("u", "a", 20.5, { id: "x" }))).toEqual(["erased", "folded"]);
    eraseUser(bench.user, 5 * DAY, bench.context);
    expect([bench.user.row.erasureEpoch, bench.user.row.erasedAt]).toEqual([2, 20 * DAY]);
  });
});

describe("migrateRow", () => {
  it("gives what folding under the new catalogue would have, where nothing was evicted or decayed", () => {
    const records = ["a", "b", "c", "d"].map((item, i) => event("u", item, i, { action: i % 2 ? "like" : "play", id: item }));
    const tagged = ["a", "b", "c"].map((item) => ({ item: item as ItemId, type: "song", tags: [`t-${item}`, "all"] }));
    const next = catalogueOf(2, { halfLifeDays: null, gridDays: 1 }, tagged, 16);
    const moved = Bench.with({ halfLifeDays: null });
    moved.fold(...records);
    moved.activate(next);
    const direct = new Bench(next);
    direct.fold(...records);
    moved.user.row.activation = direct.user.row.activation;
    expect(moved.user.row.encode()).toEqual(direct.user.row.encode());
  });

  it("cuts a profile and a ring that the new catalogue has no room for", () => {
    const bench = Bench.with({ profileItems: 12, idempotencyRing: 4, halfLifeDays: null });
    bench.fold(...Array.from({ length: 12 }, (_, i) => event("u", `i${String(i).padStart(2, "0")}`, i, { id: `e${i}` })));
    bench.activate(catalogueOf(2, { profileItems: 8, idempotencyRing: 1, halfLifeDays: null }));
    expect(bench.profile.map(([item]) => item)).toEqual(["i04", "i05", "i06", "i07", "i08", "i09", "i10", "i11"]);
    expect(bench.fold(event("u", "i11", 12, { id: "e11" }), event("u", "i11", 12, { id: "e10" }))).toEqual(["duplicate", "folded"]);
  });
});
