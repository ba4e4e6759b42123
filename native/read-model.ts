import type { ItemRecord, ReadModelStats, UserRecord } from "../schemas/ports/read-model.js";
import { loadAddon } from "./addon.js";

/** The limits of index/read-model/read-model-limits.ts, all of them given. */
export interface NativeLimits {
  readonly listenersPerItem: number;
  readonly listenersPerSeed: number;
  readonly recentPublications: number;
  readonly bucketCap: number;
}

/** Many texts that cross as one: joined, with their lengths in UTF-16 code units. */
export interface JoinedTexts {
  readonly text: string;
  readonly lengths: Uint32Array;
}

/** A micro-batch as it crosses: arrays by row, and by item of all rows one after the other. */
export interface PackedBatch {
  readonly partition: number;
  readonly erased: string;
  readonly erasedLengths: Uint32Array;
  readonly users: string;
  readonly userLengths: Uint32Array;
  /** Items whose ordinal the sender does not know. */
  readonly newItems: string;
  readonly newItemLengths: Uint32Array;
  /** Three a row: upper half, lower half, whether there is one. */
  readonly fingerprints: Uint32Array;
  /** Three a row: events, updatedAt, offset. */
  readonly numbers: Float64Array;
  /** Items of each row. */
  readonly counts: Uint32Array;
  /** Ordinals, or NEW_ITEM + the place among `newItems`. */
  readonly items: Uint32Array;
  readonly weights: Float32Array;
}

/** Added to the place of an item in `newItems`. */
export const NEW_ITEM = 0x8000_0000;

export interface NativeNear {
  readonly ordinals: Uint32Array;
  readonly distances: Uint8Array;
  readonly candidates: number;
  readonly truncated: boolean;
}

export interface NativeRanked {
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
}

/**
 * The addon's class. Errors carry a `code` of the error table: INVALID_ARGUMENT for any argument out of range,
 * nothing applied; SHARD_CORRUPT, DIRECTORY_NEWER and STORAGE_FAILED from `save` and `load`.
 */
export interface NativeModel {
  handle(): number;
  /** The memory goes when all who attached have closed. */
  close(): void;
  /** Ordinals of the users, then those of the new items. */
  apply(batch: PackedBatch): Uint32Array;
  setApplied(partition: number, offset: number, eventTime: number): void;
  putItemInfo(items: string, itemLengths: Uint32Array, json: string, jsonLengths: Uint32Array): void;
  user(user: string): Omit<UserRecord, "user"> | undefined;
  userOrdinal(user: string): number | undefined;
  profile(user: number): { items: Uint32Array; weights: Float32Array } | undefined;
  userIds(ordinals: Uint32Array): string[];
  item(item: string): ItemRecord | undefined;
  itemOrdinal(item: string): number | undefined;
  itemIds(ordinals: Uint32Array): string[];
  itemInfoJson(ordinals: Uint32Array): (string | null)[];
  /** Event time, then partition and offset of each. */
  applied(): Float64Array;
  /** At once where that takes less than the way to another thread and back. */
  nearFingerprints(user: number, maxDistance: number, limit: number): NativeNear | Promise<NativeNear>;
  fingerprintDistances(user: number, others: Uint32Array): Uint8Array;
  itemsOfNeighbors(
    neighbors: Uint32Array,
    scores: Float32Array,
    exclude: Uint32Array,
    limit: number,
  ): Promise<NativeRanked & { via: Uint32Array }>;
  coOccurring(seeds: Uint32Array, weights: Float32Array, exclude: Uint32Array, limit: number): Promise<NativeRanked>;
  popularItems(limit: number): NativeRanked;
  recentUsers(limit: number): Uint32Array;
  listenersOf(item: number, limit: number): Uint32Array;
  itemCount(): number;
  stats(): ReadModelStats;
  save(directory: string): Promise<void>;
  /** Into an empty model; false where nothing was saved. */
  load(directory: string): Promise<boolean>;
}

type Addon = { readonly ReadModel: new (handleOrLimits: number | NativeLimits) => NativeModel };

/** An empty read model, or with a handle the one that is open elsewhere in this process. @throws Error with `code` ADDON_MISSING, INVALID_ARGUMENT */
export function openNativeModel(handleOrLimits: number | NativeLimits): NativeModel {
  return new (loadAddon() as Addon).ReadModel(handleOrLimits);
}

/** Joins texts for the crossing. */
export function joinTexts(texts: readonly string[]): JoinedTexts {
  const lengths = new Uint32Array(texts.length);
  for (let i = 0; i < texts.length; i++) lengths[i] = texts[i]!.length;
  return { text: texts.join(""), lengths };
}
