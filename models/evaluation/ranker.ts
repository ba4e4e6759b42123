import { KindredError } from "../../schemas/errors.js";
import type { ItemMatrix, ItemModel } from "../../schemas/model.js";
import type { Candidates } from "./rank-all.js";
import { listenersOf, type SharedRows } from "./shared-rows.js";

/** Something that ranks items for whoever has the given ones: a model, one of its parts, or a baseline. */
export interface Ranker {
  readonly candidates: Candidates;
  /** Writes the vector of who has these (shared) rows; false where none of them has a vector. */
  pool(rows: Uint32Array, target: Float64Array, at: number): boolean;
}

/**
 * Pooled users against output vectors, as u2i recalls: the sum of the input vectors of the items known to the model, which ranks as their mean. A row of zeros is no
 * vector: not pooled where it is an input, and no candidate where it is an output.
 */
export function usersToItems(model: ItemModel, shared: SharedRows): Ranker {
  checkModel(model);
  const unit = model.score === "cosine";
  const places = placesOf(model, shared);
  return { candidates: vectorsOf(model.output, places, unit), pool: poolOf(model.input, places, unit) };
}

/** Input vectors by cosine, as i2i compares items. */
export function itemsToItems(model: ItemModel, shared: SharedRows): Ranker {
  checkModel(model);
  const places = placesOf(model, shared);
  return { candidates: vectorsOf(model.input, places, true), pool: poolOf(model.input, places, true) };
}

/** What is popular in train, for everybody: the baseline of every report. */
export function popularity(shared: SharedRows): Ranker {
  const counts = listenersOf(shared);
  const rows = Uint32Array.from(counts.keys()).filter((row) => counts[row]! > 0);
  const fill = (place: number, target: Float64Array, at: number): void => {
    target[at] = counts[rows[place]!]!;
  };
  return {
    candidates: { dims: 1, rows, fill },
    pool: (_, target, at) => {
      target[at] = 1;
      return true;
    },
  };
}

function checkModel({ items, input, output }: ItemModel): void {
  if (input.dims !== output.dims)
    throw new KindredError("INVALID_ARGUMENT", `input vectors of ${input.dims} and output vectors of ${output.dims} dimensions`, "model");
  if (new Set(items).size !== items.length) throw new KindredError("INVALID_ARGUMENT", "an item is named twice", "model");
  for (const [name, { dims, values }] of Object.entries({ input, output })) {
    if (!Number.isInteger(dims) || dims < 1 || values.length !== items.length * dims)
      throw new KindredError("INVALID_ARGUMENT", `${items.length} items of ${dims} dimensions in ${values.length} numbers`, name);
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new KindredError("INVALID_ARGUMENT", `the matrix holds ${values[bad]} at ${bad}`, name);
  }
}

const NONE = 0xffffffff;

/** The model's row of each shared one, or NONE. */
function placesOf(model: ItemModel, shared: SharedRows): Uint32Array {
  const places = new Uint32Array(shared.items.length).fill(NONE);
  for (const [place, item] of model.items.entries()) places[shared.rowOf(item)!] = place;
  return places;
}

/** 1 / length of each row, 0 for a row of zeros; without `unit` 1 for all others. */
function factorsOf({ dims, values }: ItemMatrix, unit: boolean): Float64Array {
  return Float64Array.from({ length: values.length / dims }, (_, row) => {
    let sum = 0;
    for (let i = row * dims; i < (row + 1) * dims; i++) sum += values[i]! * values[i]!;
    if (sum === 0) return 0;
    return unit ? 1 / Math.sqrt(sum) : 1;
  });
}

function vectorsOf(matrix: ItemMatrix, places: Uint32Array, unit: boolean): Candidates {
  const { dims, values } = matrix;
  const factors = factorsOf(matrix, unit);
  const rows = Uint32Array.from(places.keys()).filter((row) => places[row] !== NONE && factors[places[row]!] !== 0);
  return {
    dims,
    rows,
    fill: (place, target, at) => {
      const row = places[rows[place]!]!;
      const factor = factors[row]!;
      for (let d = 0; d < dims; d++) target[at + d] = values[row * dims + d]! * factor;
    },
  };
}

function poolOf({ dims, values }: ItemMatrix, places: Uint32Array, unit: boolean): Ranker["pool"] {
  return (rows, target, at) => {
    target.fill(0, at, at + dims);
    for (const shared of rows) {
      const row = places[shared]!;
      if (row !== NONE) for (let d = 0; d < dims; d++) target[at + d]! += values[row * dims + d]!;
    }
    return hasDirection(target, at, dims, unit);
  };
}

/** False for a vector of zeros, which ranks nothing. `unit`: to length 1; the sum ranks as the mean does, and is exact where it can be. */
function hasDirection(target: Float64Array, at: number, dims: number, unit: boolean): boolean {
  let sum = 0;
  for (let d = 0; d < dims; d++) sum += target[at + d]! * target[at + d]!;
  if (unit && sum > 0) for (let d = 0; d < dims; d++) target[at + d]! /= Math.sqrt(sum);
  return sum > 0;
}
