import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RandomIndexing } from "../../models/item-vectors/random-indexing.js";
import type { ItemId, UserId } from "../../schemas/ids.js";
import type { Row } from "../../schemas/row.js";
import { finish } from "../../state/derived-fields.js";
import { blankRow, foldEvent } from "../../state/fold.js";
import { FoldContext } from "../../state/fold-context.js";
import { ItemFinder } from "../../state/item-finder.js";
import { ItemTable } from "../../state/item-table.js";
import { RowRecordWriter, readRowHead, readRowRecord } from "../../state/row-record.js";
import { UserRow } from "../../state/user-row.js";
import { catalogueOf, event } from "./fold-fixture.js";

const contextOf = (items = new ItemTable(), ring = 4): FoldContext =>
  new FoldContext(catalogueOf(7, { profileItems: 12, idempotencyRing: ring }), 3, items, (ref) => RandomIndexing.of(ref));

interface Done {
  readonly item: string;
  readonly day: number;
  readonly action?: string;
  readonly id?: string;
}

function folded(events: readonly Done[], context: FoldContext, erasures = 0): UserRow {
  const user = new UserRow("u" as UserId, blankRow(context, erasures, erasures > 0 ? 1234.5 : 0));
  events.forEach(({ item, day, ...rest }, i) => {
    const record = event("u", item, day, rest);
    if (record.kind === "event") foldEvent(user, record.event, 1000 + i, context);
  });
  finish(user, context);
  return user;
}

const written = (row: Row, items: ItemTable): Buffer => {
  const writer = new RowRecordWriter(items);
  return Buffer.from(writer.bytes.subarray(0, writer.write(row)));
};

/** The row as it is after everything derived was made again. */
function madeAgain(value: Uint8Array, context: FoldContext): UserRow {
  const user = new UserRow("u" as UserId, readRowRecord(value, context, new ItemFinder(context.items), "user u"));
  user.refresh(context.decay);
  user.stale = true;
  finish(user, context);
  return user;
}

describe("a row of the changelog", () => {
  it("has these bytes", () => {
    const context = contextOf();
    const user = folded(
      [
        { item: "song:1", day: 20_000, action: "like", id: "first" },
        { item: "späti", day: 20_001, action: "dislike", id: "second" },
        { item: "song:1", day: 20_002, action: "play" },
      ],
      context,
      2,
    );
    const bytes = written(user.row, context.items);
    expect(bytes.toString("hex")).toBe(
      [
        "01", // version
        "03", // activation
        "07", // catalogue
        "03", // events
        "ea07", // offset 1002
        "80f080f9a532", // 20,002 days in milliseconds
        "aa16", // landmark 2857, plus 1: days by sevens
        "02", // two entries
        "02", // erased twice
        "00000000004a9340", // at 1234.5
        "02", // two event ids
        "02", // the third slot is next
        "20087c3e9e22b727", // the hash of `first`, hi and lo
        "3c90fe9972831b0f", // and of `second`
        "06736f6e673a31", // song:1
        "8040", // 4096, zigzag 8192
        "00", // as new as the newest
        "0673 70c3a4 7469".replaceAll(" ", ""), // späti
        "ff2f", // -3072, zigzag 6143
        "80b89929", // a day older
      ].join(""),
    );
  });

  it("gives the row again, byte for byte, whatever was folded and whoever numbered the items", () => {
    const id = fc.oneof(
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 128 }).filter((text) => text.length <= 128),
      fc.constantFrom("a", "b", "ß", "x".repeat(127), "x".repeat(128), "語".repeat(128), "🎧".repeat(64)),
    );
    const done = fc.record({
      item: id,
      day: fc.nat(30_000),
      action: fc.constantFrom("like", "play", "skip", "dislike", "gift", "unknown"),
      id: fc.string({ maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(done, { maxLength: 40 }), fc.constantFrom(0, 1, 4, 64), fc.nat(2), (events, ring, erasures) => {
        const context = contextOf(new ItemTable(), ring);
        const { row } = folded(events, context, erasures);
        const value = written(row, context.items);
        expect(readRowHead(value, "here")).toEqual({ activation: 3, catalogue: 7 });
        // Another table that has met other items before.
        const others = new ItemTable();
        for (const item of ["somebody's", "b"]) others.ordinal(item as ItemId);
        const again = madeAgain(value, contextOf(others, ring)).row;
        expect(again.entryCount).toBe(row.entryCount);
        for (let i = 0; i < row.entryCount; i++) {
          expect(others.id(again.entryItem(i))).toBe(context.items.id(row.entryItem(i)));
          again.setEntry(i, row.entryItem(i), again.entryWeight(i), again.entryTs(i));
        }
        expect(again.encode()).toEqual(row.encode());
      }),
      { numRuns: 150 },
    );
  });

  it("is damaged when cut anywhere, when it goes on, and where it does not fit its catalogue; a later version is told apart", () => {
    const context = contextOf();
    const items = new ItemFinder(context.items);
    const value = written(
      folded(
        [
          { item: "a", day: 1, id: "x" },
          { item: "b", day: 2, id: "y" },
        ],
        context,
        1,
      ).row,
      context.items,
    );
    for (let end = 0; end < value.length; end++)
      expect(() => readRowRecord(value.subarray(0, end), context, items, "user u")).toThrow(
        expect.objectContaining({ code: "STATE_CORRUPT" }),
      );
    expect(() => readRowRecord(Buffer.concat([value, Buffer.of(0)]), context, items, "user u")).toThrow("goes on behind its end");
    expect(() => readRowRecord(value, contextOf(new ItemTable(), 1), items, "user u")).toThrow("its ring does not fit the catalogue");
    const later = Buffer.from(value);
    later[0] = 2;
    expect(() => readRowRecord(later, context, items, "user u")).toThrow(expect.objectContaining({ code: "DIRECTORY_NEWER" }));
    expect(() => readRowHead(later, "user u")).toThrow(expect.objectContaining({ code: "DIRECTORY_NEWER" }));
  });
});
