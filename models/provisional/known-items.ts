import type { ItemId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { Histories, ItemMatrix, ItemModel } from "../../schemas/model.js";
import { type SeededRandom, sampleOf } from "../seeded-random.js";

/** Items of the model that stand in for new ones: as many as teach a map, but for large dimensions no more than seconds allow. */
const mostItems = (dims: number): number => Math.max(4 * dims, Math.min(10_000, Math.floor(2e8 / dims ** 2)));

/** A model's items as they would be if they were new: output and input vector in one, less their means. */
export interface KnownItem {
  readonly row: number;
  readonly item: ItemId;
  readonly info: ItemInfo | undefined;
  readonly target: Float64Array;
}

/** Users as far as the model knows their items. */
export interface KnownUsers {
  /** Of each user, rows of the model that have an input vector. */
  readonly histories: readonly Uint32Array[];
  readonly sums: readonly Float64Array[];
  /** By row of the model. */
  readonly listeners: readonly (readonly number[])[];
}

export function vectorAt({ dims, values }: ItemMatrix, row: number): Float64Array {
  return Float64Array.from(values.subarray(row * dims, (row + 1) * dims));
}

export const hasVector = ({ dims, values }: ItemMatrix, row: number): boolean =>
  values.subarray(row * dims, (row + 1) * dims).some((x) => x !== 0);

/** Output and input vectors in one, and their mean over items that have both. */
export function targetsOf({ items, input, output }: ItemModel): { readonly rows: readonly number[]; readonly mean: Float64Array } {
  const rows = [...items.keys()].filter((row) => hasVector(input, row) && hasVector(output, row));
  const mean = new Float64Array(2 * input.dims);
  for (const row of rows) {
    for (let d = 0; d < input.dims; d++) {
      mean[d]! += output.values[row * input.dims + d]! / rows.length;
      mean[input.dims + d]! += input.values[row * input.dims + d]! / rows.length;
    }
  }
  return { rows, mean };
}

export function targetAt({ input, output }: ItemModel, row: number, mean: Float64Array): Float64Array {
  const target = new Float64Array(2 * input.dims);
  target.set(vectorAt(output, row));
  target.set(vectorAt(input, row), input.dims);
  return target.map((x, d) => x - mean[d]!);
}

/** @param rows items with both vectors */
export function knownItems(
  model: ItemModel,
  rows: readonly number[],
  mean: Float64Array,
  infos: ReadonlyMap<ItemId, ItemInfo>,
  seed: number,
): KnownItem[] {
  return Array.from(sampleOf(rows.length, mostItems(model.input.dims), seed), (place) => {
    const row = rows[place]!;
    return { row, item: model.items[row]!, info: infos.get(model.items[row]!), target: targetAt(model, row, mean) };
  });
}

export function knownUsers({ items, input }: ItemModel, { items: named, users, starts, rows }: Histories): KnownUsers {
  const places = new Map(items.map((item, row) => [item, row]));
  const rowOf = named.map((item) => places.get(item)).map((row) => (row !== undefined && hasVector(input, row) ? row : -1));
  const histories = users.map((_, u) =>
    Uint32Array.from([...rows.subarray(starts[u], starts[u + 1])].map((at) => rowOf[at]!).filter((row) => row >= 0)),
  );
  const listeners: number[][] = items.map(() => []);
  const sums = histories.map((history, user) => {
    const sum = new Float64Array(input.dims);
    for (const row of history) {
      listeners[row]!.push(user);
      for (let d = 0; d < input.dims; d++) sum[d]! += input.values[row * input.dims + d]!;
    }
    return sum;
  });
  return { histories, sums, listeners };
}

/**
 * The mean of so many of an item's listeners, each pooled without the item, which nobody has when it is new, and of length 1, as an index
 * keeps users. undefined: fewer have it together with something else.
 */
export function meanListener(
  { histories, sums, listeners }: KnownUsers,
  { input: { dims, values } }: ItemModel,
  row: number,
  count: number,
  random: SeededRandom,
): Float64Array | undefined {
  const able = listeners[row]!.filter((user) => histories[user]!.length > 1);
  if (able.length < count) return undefined;
  const mean = new Float64Array(dims);
  for (let i = 0; i < count; i++) {
    const j = i + random.below(able.length - i);
    [able[i], able[j]] = [able[j]!, able[i]!];
    addDirection(
      mean,
      sums[able[i]!]!.map((sum, d) => sum - values[row * dims + d]!),
      1 / count,
    );
  }
  return mean;
}

/** Adds `share` of a vector brought to length 1; nothing of zeros. */
export function addDirection(to: Float64Array, vector: ArrayLike<number>, share: number): void {
  let squares = 0;
  for (let d = 0; d < to.length; d++) squares += vector[d]! ** 2;
  if (squares === 0) return;
  const factor = share / Math.sqrt(squares);
  for (let d = 0; d < to.length; d++) to[d]! += vector[d]! * factor;
}
