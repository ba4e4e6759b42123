import { KindredError } from "../../schemas/errors.js";
import type { SearchOptions, VectorBatch } from "../../schemas/ports/read-model.js";

/** Widest vector of an engine. */
export const MAX_DIMS = 4096;
/** Most results of one search, and widest walk. */
export const MAX_K = 10_000;
export const MAX_EF = 10_000;
/** Ordinals are dense numbers below this. */
export const MAX_ORDINAL = 2 ** 31 - 1;

const invalid = (message: string, where: string): KindredError => new KindredError("INVALID_ARGUMENT", message, where);

export function checkDims(dims: number): void {
  if (!Number.isInteger(dims) || dims < 1 || dims > MAX_DIMS)
    throw invalid(`dims is an integer from 1 to ${MAX_DIMS}, not ${dims}`, "dims");
}

/** @throws KindredError INVALID_ARGUMENT for a query of other dims, or one with NaN or infinity */
export function checkQuery(query: Float32Array, dims: number): void {
  if (!(query instanceof Float32Array) || query.length !== dims)
    throw invalid(`a query is a Float32Array of ${dims}, not of ${query?.length}`, "query");
  checkFinite(query, dims, "query");
}

export function checkOptions(options: SearchOptions): void {
  checkInteger("k", options.k, MAX_K);
  if (options.ef !== undefined) checkInteger("ef", options.ef, MAX_EF);
  for (const name of ["exclude", "allow"] as const) {
    const list = options[name];
    if (list !== undefined && !(list instanceof Uint32Array)) throw invalid(`${name} is a Uint32Array`, name);
  }
  const { deadlineMs } = options;
  if (deadlineMs !== undefined && !(Number.isFinite(deadlineMs) && deadlineMs > 0))
    throw invalid("deadlineMs is a number above 0", "deadlineMs");
}

/** @throws KindredError INVALID_ARGUMENT naming the row */
export function checkVectorBatch(batch: VectorBatch, dims: number): void {
  const { ordinals, vectors } = batch;
  if (!(ordinals instanceof Uint32Array) || !(vectors instanceof Float32Array))
    throw invalid("a batch is a Uint32Array and a Float32Array", "batch");
  if (vectors.length !== ordinals.length * dims)
    throw invalid(`${ordinals.length} rows of ${dims} need ${ordinals.length * dims} numbers, not ${vectors.length}`, "vectors");
  for (const ordinal of ordinals) if (ordinal > MAX_ORDINAL) throw invalid(`ordinal ${ordinal} is above ${MAX_ORDINAL}`, "ordinals");
  checkFinite(vectors, dims, "vectors");
}

function checkInteger(name: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 1 || value > most) throw invalid(`${name} is an integer from 1 to ${most}, not ${value}`, name);
}

function checkFinite(numbers: Float32Array, dims: number, where: string): void {
  for (let i = 0; i < numbers.length; i++) {
    if (!Number.isFinite(numbers[i])) throw invalid(`row ${Math.floor(i / dims)} holds ${numbers[i]} at ${i % dims}`, where);
  }
}
