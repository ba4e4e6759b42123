import type { ItemId } from "../../schemas/ids.js";
import type { Histories, ItemMatrix } from "../../schemas/model.js";
import { SeededRandom, sampleOf } from "../seeded-random.js";
import type { NamedModel } from "./measure-model.js";
import { SEGMENTS, type Segment, segmentsOf } from "./segments.js";

/** Power iterations: enough for a picture, in which close variances may well swap. */
const ITERATIONS = 30;

/**
 * The two directions in which unit vectors of the given rows differ most (principal components, by power iteration with the first taken
 * out of the second), and where each row lies: x, y of each one after the other. Rows of zeros lie where they are, off the sphere. Signs are
 * fixed by the largest component, so that a picture does not flip between runs.
 */
export function projected({ dims, values }: ItemMatrix, rows: Uint32Array, seed: number): Float64Array {
  const points = centred(dims, values, rows);
  const first = component(points, dims, seed, undefined);
  const second = component(points, dims, seed + 1, first);
  const places = new Float64Array(2 * rows.length);
  for (let i = 0; i < rows.length; i++) {
    places[2 * i] = dotAt(points, i * dims, first);
    places[2 * i + 1] = dotAt(points, i * dims, second);
  }
  return places;
}

function centred(dims: number, values: Float32Array, rows: Uint32Array): Float64Array {
  const points = new Float64Array(rows.length * dims);
  const mean = new Float64Array(dims);
  for (const [i, row] of rows.entries()) {
    const vector = values.subarray(row * dims, (row + 1) * dims);
    const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0)) || 1;
    for (let d = 0; d < dims; d++) {
      points[i * dims + d] = vector[d]! / length;
      mean[d]! += vector[d]! / length / rows.length;
    }
  }
  return points.map((x, at) => x - mean[at % dims]!);
}

function component(points: Float64Array, dims: number, seed: number, without: Float64Array | undefined): Float64Array {
  const random = new SeededRandom(seed);
  let direction = Float64Array.from({ length: dims }, () => random.next() / 2 ** 31 - 1);
  for (let i = 0; i < ITERATIONS; i++) {
    const next = new Float64Array(dims);
    for (let at = 0; at < points.length; at += dims) {
      const along = dotAt(points, at, direction);
      for (let d = 0; d < dims; d++) next[d]! += along * points[at + d]!;
    }
    if (without !== undefined) {
      const shared = dotAt(next, 0, without);
      for (let d = 0; d < dims; d++) next[d]! -= shared * without[d]!;
    }
    const length = Math.sqrt(dotAt(next, 0, next));
    // No spread is left in any direction but those taken out.
    if (length < 1e-12) return new Float64Array(dims);
    direction = next.map((x) => x / length);
  }
  const largest = direction.reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0);
  return largest < 0 ? direction.map((x) => -x) : direction;
}

function dotAt(points: Float64Array, at: number, direction: Float64Array): number {
  let sum = 0;
  for (let d = 0; d < direction.length; d++) sum += points[at + d]! * direction[d]!;
  return sum;
}

/** Where items lie in a model's space of output vectors. */
export interface Picture {
  readonly model: string;
  readonly points: readonly { readonly title: string; readonly x: number; readonly y: number; readonly segment: Segment }[];
}

export interface PictureOptions {
  /** Items drawn by the seed, of those with a vector: 1,500. */
  readonly items?: number;
  readonly seed?: number;
  readonly titleOf?: (item: ItemId) => string | undefined;
}

/** The same items of every model that has them, coloured by how popular they are in train. */
export function pictureOf(
  { name, model }: NamedModel,
  train: Histories,
  { items = 1500, seed = 1, titleOf = () => undefined }: PictureOptions = {},
): Picture {
  const listeners = new Uint32Array(train.items.length);
  for (const row of train.rows) listeners[row]!++;
  const segments = segmentsOf(listeners);
  const places = new Map(model.items.map((item, place) => [item, place]));
  const { dims, values } = model.output;
  const drawn = sampleOf(train.items.length, items, seed).filter((row) => {
    const place = places.get(train.items[row]!);
    return place !== undefined && values.subarray(place * dims, (place + 1) * dims).some((x) => x !== 0);
  });
  const lies = projected(
    model.output,
    drawn.map((row) => places.get(train.items[row]!)!),
    seed,
  );
  const points = Array.from(drawn, (row, i) => {
    const item = train.items[row]!;
    return { title: titleOf(item) ?? item, x: lies[2 * i]!, y: lies[2 * i + 1]!, segment: SEGMENTS[segments[row]!]! };
  });
  return { model: name, points };
}
