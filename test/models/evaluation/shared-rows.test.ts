import { expect, it } from "vitest";
import { listenersOf, shareRows } from "../../../models/evaluation/shared-rows.js";
import type { Histories, ItemModel } from "../../../schemas/model.js";
import { historiesOf } from "./made-up-split.js";

const named = (shared: ReturnType<typeof shareRows>, rows: Uint32Array): string[] => Array.from(rows, (row) => shared.items[row]!);

it("numbers the items of train, then of test, then of models, and finds users by name", () => {
  const train = historiesOf({ ann: ["b", "a", "b"], bob: ["c"], dan: ["a"], idle: [] });
  const test = historiesOf({ bob: ["x", "a"], new: ["b"], ann: ["c"], idle: ["a"], done: [] });
  const vectors = { dims: 1, values: new Float32Array(2) };
  const model = { kind: "k", items: ["m", "a"], input: vectors, output: vectors, score: "dot" } as unknown as ItemModel;
  const shared = shareRows(train, test, [model]);
  expect(shared.items).toEqual(["b", "a", "c", "x", "m"]);
  expect(shared.known).toBe(4);
  expect(shared.histories.map((rows) => named(shared, rows))).toEqual([["b", "a"], ["c"], ["a"], []]);
  expect(Array.from(shared.tested, (user) => shared.users[user])).toEqual(["ann", "bob"]);
  expect(shared.wanted.map((rows) => named(shared, rows))).toEqual([["c"], ["a", "x"]]);
  expect(shared.withoutHistory).toBe(2);
  expect([...listenersOf(shared)]).toEqual([1, 2, 1, 0, 0]);
});

it.each<[string, Partial<Histories>]>([
  ["a user twice", { users: ["ann", "ann"] }],
  ["an item twice", { items: ["a", "a"] as never }],
  ["a row of no item", { rows: Uint32Array.of(0, 2) }],
  ["too few starts", { starts: Uint32Array.of(0, 2) }],
  ["starts that end elsewhere", { starts: Uint32Array.of(0, 1, 3) }],
])("refuses histories with %s", (_, wrong) => {
  const good = historiesOf({ ann: ["a"], bob: ["b"] });
  const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });
  expect(() => shareRows({ ...good, ...wrong }, good, [])).toThrow(refused);
  expect(() => shareRows(good, { ...good, ...wrong }, [])).toThrow(refused);
});

it("refuses a test of nobody who has a history", () => {
  const test = historiesOf({ new: ["a"], ann: [] });
  expect(() => shareRows(historiesOf({ ann: ["a"] }), test, [])).toThrow("no user has a history and items to be found");
});
