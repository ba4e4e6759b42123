import type { ItemId } from "../../../schemas/ids.js";
import type { Histories, ItemModel } from "../../../schemas/model.js";

/** Histories of lists of item names by user; items in order of first mention. */
export function historiesOf(byUser: Readonly<Record<string, readonly string[]>>): Histories {
  const items = [...new Set(Object.values(byUser).flat())] as ItemId[];
  const lists = Object.values(byUser).map((names) => names.map((name) => items.indexOf(name as ItemId)));
  const starts = [0];
  for (const list of lists) starts.push(starts.at(-1)! + list.length);
  return { items, users: Object.keys(byUser), starts: Uint32Array.from(starts), rows: Uint32Array.from(lists.flat()) };
}

export interface MadeUp {
  readonly train: Record<string, string[]>;
  readonly test: Record<string, string[]>;
  readonly model: ItemModel;
}

/** Few values, so that ties are many. `fraction` is 0 to below 1. */
export function madeUp(fraction: () => number, { users = 40, items = 60, dims = 5, score = "dot" as "dot" | "cosine" } = {}): MadeUp {
  const below = (n: number): number => Math.floor(fraction() * n);
  const some = (most: number): string[] => [...new Set(Array.from({ length: 1 + below(most) }, () => `i${below(items)}`))];
  const lists = (most: number): Record<string, string[]> =>
    Object.fromEntries(Array.from({ length: users }, (_, user) => [`u${user}`, some(most)]));
  const train = lists(12);
  const test = lists(8);
  for (const user of Object.keys(test)) test[user] = test[user]!.filter((item) => !train[user]!.includes(item));
  const table = (): Float32Array => Float32Array.from({ length: items * dims }, () => below(3) - 1);
  const ids = Array.from({ length: items }, (_, i) => `i${items - 1 - i}` as ItemId);
  return {
    train,
    test,
    model: { kind: "made up", items: ids, input: { dims, values: table() }, output: { dims, values: table() }, score },
  };
}
