import { KindredError } from "../../schemas/errors.js";
import { MAX_ID_LENGTH } from "../../schemas/ids.js";
import type { ReadModelBatch } from "../../schemas/ports/read-model.js";

/** Bounds of a read model's memory and of a query's work; all implementations keep the same ones. */
export interface ReadModelLimits {
  /** Newest listeners remembered per item, 1..65,536. */
  readonly listenersPerItem: number;
  /** Newest listeners of a seed that co-occurrence looks at, 1..65,536. */
  readonly listenersPerSeed: number;
  /** Newest publications remembered for `recentUsers`, 1..16,777,216. */
  readonly recentPublications: number;
  /** Users of one fingerprint bucket that a query compares at most, those who came into it last, 1..2^31-1. */
  readonly bucketCap: number;
}

export const DEFAULT_READ_MODEL_LIMITS: ReadModelLimits = {
  listenersPerItem: 1024,
  listenersPerSeed: 256,
  recentPublications: 65_536,
  bucketCap: 65_536,
};

/** Most items of one published profile. */
export const MAX_PROFILE_ITEMS = 65_535;
/** Highest number of a partition; a read model keeps a position for each that it saw. */
export const MAX_PARTITION = 65_535;
/** Longest side information of an item, in UTF-16 code units. */
export const MAX_INFO_LENGTH = 1 << 20;
/** Most results of one query. */
export const MAX_LIMIT = 1_000_000;

const HIGHEST: ReadModelLimits = {
  listenersPerItem: 65_536,
  listenersPerSeed: 65_536,
  recentPublications: 1 << 24,
  bucketCap: 2 ** 31 - 1,
};

export const invalid = (message: string): KindredError => new KindredError("INVALID_ARGUMENT", message);

/** Defaults filled in. @throws KindredError INVALID_ARGUMENT */
export function resolveLimits(limits: Partial<ReadModelLimits>): ReadModelLimits {
  const all = { ...DEFAULT_READ_MODEL_LIMITS, ...limits };
  for (const name of Object.keys(HIGHEST) as (keyof ReadModelLimits)[]) {
    if (!isInteger(all[name], 1, HIGHEST[name])) throw invalid(`${name} must be an integer of 1 to ${HIGHEST[name]}`);
  }
  return all;
}

/** @throws KindredError INVALID_ARGUMENT */
export function checkId(id: string, what: string): void {
  // A lone surrogate has no UTF-8 form: two ids would become one.
  if (typeof id !== "string" || id.length < 1 || id.length > MAX_ID_LENGTH || !id.isWellFormed())
    throw invalid(`${what} must be a string of 1 to ${MAX_ID_LENGTH} characters`);
}

/** @throws KindredError INVALID_ARGUMENT */
export function checkPosition(partition: number, offset: number, eventTime: number): void {
  if (!isInteger(partition, 0, MAX_PARTITION)) throw invalid(`partition must be an integer of 0 to ${MAX_PARTITION}`);
  if (!isInteger(offset, 0, Number.MAX_SAFE_INTEGER)) throw invalid("offset must be an integer from 0");
  if (!Number.isFinite(eventTime)) throw invalid("eventTime must be finite");
}

/** Checks a whole batch, so that it is applied as a whole or not at all. @throws KindredError INVALID_ARGUMENT */
export function checkRows(batch: ReadModelBatch): void {
  checkPosition(batch.partition, batch.offset, batch.eventTime);
  for (const user of batch.erased) checkId(user, "an erased user");
  for (const row of batch.rows) {
    checkId(row.user, "user");
    const n = row.items.length;
    if (n !== row.weights.length) throw invalid("items and weights must be of one length");
    if (n > MAX_PROFILE_ITEMS) throw invalid(`a profile has at most ${MAX_PROFILE_ITEMS} items`);
    for (const item of row.items) checkId(item, "item");
    if (new Set(row.items).size !== n) throw invalid("a profile names each item once");
    if (!row.weights.every(Number.isFinite)) throw invalid("weights must be finite");
    if (!isInteger(row.events, 0, Number.MAX_SAFE_INTEGER)) throw invalid("events must be an integer from 0");
    if (!isInteger(row.offset, 0, Number.MAX_SAFE_INTEGER)) throw invalid("offset must be an integer from 0");
    if (!Number.isFinite(row.updatedAt)) throw invalid("updatedAt must be finite");
  }
}

/** @throws KindredError INVALID_ARGUMENT */
export function checkInfo(items: readonly string[], json: readonly string[]): void {
  if (items.length !== json.length) throw invalid("items and json must be of one length");
  for (const item of items) checkId(item, "item");
  for (const text of json)
    if (typeof text !== "string" || text.length > MAX_INFO_LENGTH || !text.isWellFormed())
      throw invalid(`side information must be text of at most ${MAX_INFO_LENGTH} characters`);
}

/** @throws KindredError INVALID_ARGUMENT */
export function checkOrdinals(ordinals: Uint32Array, size: number, what: string): void {
  for (const ordinal of ordinals) if (ordinal >= size) throw invalid(`${what} ${ordinal} is not an ordinal of this read model`);
}

/** @throws KindredError INVALID_ARGUMENT */
export function checkScores(scores: Float32Array, ordinals: Uint32Array, what: string): void {
  if (scores.length !== ordinals.length) throw invalid(`${what} must be as many as their ordinals`);
  if (!scores.every(Number.isFinite)) throw invalid(`${what} must be finite`);
}

/** @throws KindredError INVALID_ARGUMENT */
export function checkLimit(limit: number): void {
  if (!isInteger(limit, 0, MAX_LIMIT)) throw invalid(`limit must be an integer of 0 to ${MAX_LIMIT}`);
}

export function isInteger(value: number, lowest: number, highest: number): boolean {
  return Number.isSafeInteger(value) && value >= lowest && value <= highest;
}
