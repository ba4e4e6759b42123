import { KindredError } from "../../schemas/errors.js";
import type { ItemId } from "../../schemas/ids.js";
import type { Histories, ItemModel } from "../../schemas/model.js";
import { sampleOf } from "../seeded-random.js";

/**
 * Train, test and models over one numbering of items, since each comes with its own: first the items of train in their order, then those
 * that only test names, then those that only models have. Lists hold these rows, and ties are broken by them.
 */
export interface SharedRows {
  readonly items: readonly ItemId[];
  /** Items of train and test come first; whatever lies from here on, models alone have. */
  readonly known: number;
  readonly users: readonly string[];
  /** Ascending, none twice; by user of train. */
  readonly histories: readonly Uint32Array[];
  /** Users of train who are in test and are asked, by their place in `users`, in that order. */
  readonly tested: Uint32Array;
  /** All of train who are in test, asked or not. */
  readonly testable: number;
  /** Of `tested`. */
  readonly wanted: readonly Uint32Array[];
  /** Test items by user of train, whether asked or not; empty where there are none. */
  readonly later: readonly Uint32Array[];
  /** Users of test without a history: there is nothing to pool, and no model is asked. */
  readonly withoutHistory: number;
  /** Their items in the order of the file, each once. */
  readonly newcomers: readonly Uint32Array[];
  rowOf(item: ItemId): number | undefined;
}

export interface ShareOptions {
  /** Users of test without a history are enough, since they are to be asked after their first events. */
  readonly newcomers?: boolean;
}

/** @throws KindredError INVALID_ARGUMENT: arrays that do not fit together, an item or user named twice, no user to evaluate */
export function shareRows(train: Histories, test: Histories, models: readonly ItemModel[], options: ShareOptions = {}): SharedRows {
  const rows = new Map<ItemId, number>();
  const add = (item: ItemId): number => {
    const row = rows.get(item) ?? rows.size;
    if (row === rows.size) rows.set(item, row);
    return row;
  };
  const histories = rowsByUser(train, add, "train").map(ascending);
  const found = rowsByUser(test, add, "test");
  const wanted = found.map(ascending);
  const known = rows.size;
  for (const model of models) for (const item of model.items) add(item);
  const placeInTest = new Map(test.users.map((user, place) => [user, place]));
  const later = train.users.map((user) => wanted[placeInTest.get(user) ?? -1] ?? NOTHING);
  const hasBoth = (user: number): boolean => histories[user]!.length > 0 && later[user]!.length > 0;
  const tested = Uint32Array.from(train.users.keys()).filter(hasBoth);
  const familiar = new Set(train.users.filter((_, user) => histories[user]!.length > 0));
  const newcomers = found.filter((rows, place) => rows.length > 0 && !familiar.has(test.users[place]!));
  if (tested.length === 0 && !(options.newcomers === true && newcomers.length > 0))
    throw new KindredError("INVALID_ARGUMENT", "no user has a history and items to be found", "test");
  return {
    items: [...rows.keys()],
    known,
    users: train.users,
    histories,
    tested,
    testable: tested.length,
    wanted: Array.from(tested, (user) => later[user]!),
    later,
    withoutHistory: newcomers.length,
    newcomers,
    rowOf: (item) => rows.get(item),
  };
}

const NOTHING = new Uint32Array(0);

/** Each user's rows once, in their order. */
function rowsByUser({ items, users, starts, rows }: Histories, add: (item: ItemId) => number, where: string): Uint32Array[] {
  if (starts.length !== users.length + 1 || starts[0] !== 0 || starts.at(-1) !== rows.length)
    throw new KindredError("INVALID_ARGUMENT", `${users.length} users with ${starts.length} starts of ${rows.length} rows`, where);
  if (new Set(users).size !== users.length) throw new KindredError("INVALID_ARGUMENT", "a user is named twice", where);
  if (new Set(items).size !== items.length) throw new KindredError("INVALID_ARGUMENT", "an item is named twice", where);
  if (rows.some((row) => row >= items.length)) throw new KindredError("INVALID_ARGUMENT", "a row names no item", where);
  const shared = Uint32Array.from(items, add);
  return users.map((_, user) => Uint32Array.from(new Set(rows.subarray(starts[user], starts[user + 1])), (row) => shared[row]!));
}

const ascending = (rows: Uint32Array): Uint32Array => rows.slice().sort();

/** So many of the users who are tested, drawn by the seed; all where there are no more. Train stays as it is. */
export function sampleTested(shared: SharedRows, count: number, seed: number): SharedRows {
  const places = sampleOf(shared.tested.length, count, seed);
  return { ...shared, tested: places.map((place) => shared.tested[place]!), wanted: Array.from(places, (place) => shared.wanted[place]!) };
}

/** How many users of train have each of the shared items. */
export function listenersOf({ items, histories }: SharedRows): Uint32Array {
  const counts = new Uint32Array(items.length);
  for (const history of histories) for (const row of history) counts[row]!++;
  return counts;
}
