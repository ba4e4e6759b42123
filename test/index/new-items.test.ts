import { beforeEach, expect, it } from "vitest";
import type { ItemBatch } from "../../index/item-shards.js";
import { NewItems } from "../../index/new-items.js";
import { MemoryReadModel } from "../../index/read-model/memory-read-model.js";
import type { ItemId, Offset, Partition, UserId } from "../../schemas/ids.js";
import type { NewItem } from "../../schemas/model.js";
import { row } from "./read-model/random-batches.js";

const DIMS = 2;

/** Tells what it was asked of, by the first numbers of the vectors it gives. */
class Shards {
  readonly unknown: number[] = [];
  readonly given = new Map<number, [output: number, input: number]>();
  upsert({ ordinals, outputs, inputs }: ItemBatch): void {
    for (const [i, ordinal] of ordinals.entries()) this.given.set(ordinal, [outputs[i * DIMS]!, inputs[i * DIMS]!]);
  }
}

let model: MemoryReadModel;
let shards: Shards;
let asked: NewItem[];
let newItems: NewItems;
let offset = 0;
beforeEach(() => {
  [model, shards, asked, offset] = [new MemoryReadModel(), new Shards(), [], 0];
  const userVector = (ordinal: number): Float32Array => Float32Array.of(ordinal, ordinal === 0 ? 0 : 1);
  const vectorsOf = (item: NewItem) => {
    asked.push(item);
    const listeners = item.listeners?.length ?? 0;
    return listeners + (item.tags?.length ?? 0) === 0
      ? undefined
      : { output: Float32Array.of(listeners, 0), input: Float32Array.of(item.tags?.length ?? 0, 0) };
  };
  newItems = new NewItems({ dims: DIMS, items: shards, userVector, readModel: model, vectorsOf });
});

/** Users whose profile has these items, and no others. */
const publish = (users: Record<string, Record<string, number>>): void => {
  const rows = Object.entries(users).map(([user, weights]) => row(user, weights));
  model.apply({ partition: 0 as Partition, offset: ++offset as Offset, eventTime: 0, rows, erased: [] });
};
const ordinalOf = (item: string): number => model.itemOrdinal(item as ItemId) as number;

it("gives an item vectors of its labels at once, of its listeners as they come, and of new labels", () => {
  publish({ nobody: { known: 1 } });
  model.putItemInfo(["new" as ItemId], ['{"item":"new","tags":["a","b"],"creators":["c"]}']);
  shards.unknown.push(ordinalOf("new"));
  expect(newItems.look(10)).toBe(1);
  expect(asked).toEqual([{ tags: ["a", "b"], creators: ["c"], listeners: [] }]);
  expect(shards.given.get(ordinalOf("new"))).toEqual([0, 2]);
  expect(newItems.look(10)).toBe(0);

  publish({ ann: { new: 1 } });
  expect(newItems.look(10)).toBe(1);
  expect(shards.given.get(ordinalOf("new"))).toEqual([1, 2]);
  // Two are as good as one, three are better. Who turned away is no listener.
  publish({ bob: { new: 1 } });
  expect(newItems.look(10)).toBe(0);
  publish({ cid: { new: 1 }, dan: { new: -1 } });
  expect(newItems.look(10)).toBe(1);
  expect(shards.given.get(ordinalOf("new"))).toEqual([3, 2]);

  model.putItemInfo(["new" as ItemId], ['{"item":"new","tags":["a"]}']);
  expect(newItems.look(10)).toBe(1);
  expect(shards.given.get(ordinalOf("new"))).toEqual([3, 1]);
});

it("takes an item out again that nothing speaks for any more", () => {
  publish({ nobody: { known: 1 }, ann: { heard: 1 } });
  shards.unknown.push(ordinalOf("heard"));
  expect(newItems.look(10)).toBe(1);
  model.apply({ partition: 0 as Partition, offset: ++offset as Offset, eventTime: 0, rows: [], erased: ["ann" as UserId] });
  expect(newItems.look(10)).toBe(1);
  expect(shards.given.get(ordinalOf("heard"))).toEqual([0, 0]);
  expect(newItems.look(10)).toBe(0);
});

it("leaves out listeners without a vector, and gives none where nothing is known", () => {
  publish({ "the first user has a vector of zeros": { heard: 1 } });
  model.putItemInfo(["bare" as ItemId], ['{"item":"bare"}']);
  shards.unknown.push(ordinalOf("heard"), ordinalOf("bare"));
  expect(newItems.look(10)).toBe(0);
  expect(asked.map(({ listeners }) => listeners)).toEqual([[], []]);
  expect(shards.given.size).toBe(0);
});

it("looks at newcomers first, and comes round to everything", () => {
  const items = Array.from({ length: 7 }, (_, i) => `i${i}`);
  publish({ someone: { other: 1 } });
  for (const item of items) model.putItemInfo([item as ItemId], [`{"item":"${item}","tags":["t"]}`]);
  shards.unknown.push(...items.slice(0, 5).map(ordinalOf));
  expect([newItems.look(3), newItems.look(3)]).toEqual([3, 2]);
  shards.unknown.push(...items.slice(5).map(ordinalOf));
  expect(newItems.look(3)).toBe(2);
  for (const item of items) model.putItemInfo([item as ItemId], [`{"item":"${item}","tags":["t","u"]}`]);
  const changed = Array.from({ length: 3 }, () => newItems.look(3));
  expect(changed.reduce((sum, count) => sum + count)).toBe(7);
});
