import type { ItemVectors } from "../catalogue.js";
import type { EpochMs, Generation, ItemId, ItemOrdinal, Offset, Partition, UserId, UserOrdinal } from "../ids.js";
import type { Position } from "../position.js";

/** A user's row as recall sees it, published by one micro-batch. */
export interface PublishedRow {
  readonly user: UserId;
  /** 64-bit fingerprint as two halves: hi = bits 63..32. `hasFingerprint` is false while no keyword counted. */
  readonly fingerprintHi: number;
  readonly fingerprintLo: number;
  readonly hasFingerprint: boolean;
  /** Events folded for the user. */
  readonly events: number;
  /** Newest event time. */
  readonly updatedAt: EpochMs;
  /** Offset of the newest folded record of the user, in `partition` of the batch. */
  readonly offset: Offset;
  /** The bounded profile: every item, strongest |weight| first (ties by id); weights decayed to the row's landmark, negative for disliked. */
  readonly items: readonly ItemId[];
  readonly weights: Float32Array;
}

/** What changed in one micro-batch. */
export interface ReadModelBatch {
  readonly partition: Partition;
  /** Applied once the batch is published. */
  readonly offset: Offset;
  readonly eventTime: EpochMs;
  readonly rows: readonly PublishedRow[];
  readonly erased: readonly UserId[];
}

/** The single writer's side. All calls on one thread. */
export interface ReadModelWriter {
  /** Publishes rows; returns the ordinals of `rows` in order, for the vector tables. A user's ordinal never changes; an erased user's is not reused. */
  apply(batch: ReadModelBatch): Uint32Array;
  /** Set after the vectors of the same batch were published: only then may `after` be answered. */
  setApplied(partition: Partition, offset: Offset, eventTime: EpochMs): void;
  /** Side information for answers: UTF-8 JSON of ItemInfo. */
  putItemInfo(items: readonly ItemId[], json: readonly string[]): void;
}

/** A user's published row, read back. */
export interface UserRecord {
  readonly ordinal: UserOrdinal;
  readonly user: UserId;
  /** 16 lower-case hex digits; null while no keyword counted. */
  readonly fingerprint: string | null;
  readonly events: number;
  readonly updatedAt: EpochMs;
  readonly partition: Partition;
  readonly offset: Offset;
  readonly items: readonly ItemId[];
  readonly weights: Float32Array;
}

export interface ItemRecord {
  readonly ordinal: ItemOrdinal;
  readonly item: ItemId;
  /** Users whose profile holds the item now, with weight > 0. */
  readonly users: number;
  /** JSON of ItemInfo, where side information is known. */
  readonly infoJson: string | null;
}

/** Users or items with a score each, best first; arrays run in parallel. */
export interface Ranked<Ordinal extends number> {
  readonly ordinals: Uint32Array & { readonly __of?: Ordinal };
  readonly scores: Float32Array;
}

export interface ItemsOfNeighbors extends Ranked<ItemOrdinal> {
  /** For each item, the row in the given neighbours that contributed most. */
  readonly via: Uint32Array;
}

/** The reading side; from any thread, never waiting for the writer. Unknown ids give undefined. */
export interface ReadModelReader {
  user(user: UserId): UserRecord | undefined;
  userOrdinal(user: UserId): UserOrdinal | undefined;
  /** The user's profile by item ordinals, in the order published (copies): what queries take as seeds and leave out. undefined where the user was erased. */
  profile(user: UserOrdinal): { readonly items: Uint32Array; readonly weights: Float32Array } | undefined;
  /** An erased user's place holds "". */
  userIds(ordinals: Uint32Array): UserId[];
  item(item: ItemId): ItemRecord | undefined;
  itemOrdinal(item: ItemId): ItemOrdinal | undefined;
  itemIds(ordinals: Uint32Array): ItemId[];
  itemInfoJson(ordinals: Uint32Array): (string | null)[];
  applied(): { readonly position: Position; readonly eventTime: EpochMs };
  /**
   * Users within `maxDistance` (0..64) of the user's current fingerprint, nearest first, ties by id; the user left out.
   * To 3 by the bands, exactly (unless `truncated`: a hot bucket was cut at its cap); above it by an exact scan.
   */
  nearFingerprints(
    user: UserOrdinal,
    maxDistance: number,
    limit: number,
  ): Promise<{ readonly ordinals: Uint32Array; readonly distances: Uint8Array; readonly candidates: number; readonly truncated: boolean }>;
  /** Hamming distances of the users' fingerprints from `user`'s; 255 where one has none. */
  fingerprintDistances(user: UserOrdinal, others: Uint32Array): Uint8Array;
  /**
   * u2u2i: items of `neighbors` (liked ones: weight > 0), scored sum over neighbours of score * weight share, without the items in `exclude`.
   * @param scores similarity of each neighbour, > 0 counts
   */
  itemsOfNeighbors(neighbors: Uint32Array, scores: Float32Array, exclude: Uint32Array, limit: number): Promise<ItemsOfNeighbors>;
  /**
   * Items that occur in profiles together with `seeds`, by cosine of co-occurrence over a bounded number of each
   * seed's newest listeners (Linden et al. 2003, "Amazon.com recommendations", item-to-item).
   * @param weights of the seeds; negative ones take away
   */
  coOccurring(seeds: Uint32Array, weights: Float32Array, exclude: Uint32Array, limit: number): Promise<Ranked<ItemOrdinal>>;
  /** Items in most profiles, ties by id. */
  popularItems(limit: number): Ranked<ItemOrdinal>;
  /** Most recently published first, among a bounded number of publications: a last rung for u2u. */
  recentUsers(limit: number): Uint32Array;
  /** Who has the item in the profile now with weight > 0, newest first, of a bounded number who came to it. */
  listenersOf(item: ItemOrdinal, limit: number): Uint32Array;
  /** Items numbered so far: their ordinals are all below it. Cheap, unlike `stats`. */
  itemCount(): number;
  stats(): ReadModelStats;
}

export interface ReadModelStats {
  readonly users: number;
  readonly items: number;
  readonly fingerprints: number;
  readonly memoryBytes: number;
  /** Entries of users who left a fingerprint bucket, until it is compacted. */
  readonly staleBandEntries: number;
  /** Users of the largest fingerprint bucket. */
  readonly largestBucket: number;
  readonly bucketsOverCap: number;
}

/** A user's vector changed in this micro-batch. */
export interface VectorBatch {
  /** Ordinals of the read model. */
  readonly ordinals: Uint32Array;
  /** Row-major, ordinals.length x dims; a row of zeros means: no vector, not found by any search. */
  readonly vectors: Float32Array;
}

export type Metric = "cosine" | "inner-product";

export interface SearchOptions {
  /** 1..10,000 */
  readonly k: number;
  /** Breadth of the graph walk, 1..10,000; the engine's current default where absent. */
  readonly ef?: number;
  /** Left out of the answer, e.g. the asking user. */
  readonly exclude?: Uint32Array;
  /** Only these may be found. Below a measured selectivity they are scanned exactly. */
  readonly allow?: Uint32Array;
  /** Answer with what was found by then, marked degraded. */
  readonly deadlineMs?: number;
}

export interface SearchResult {
  /** Best first; fewer than k where there are fewer. Ties by ordinal. */
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
  /** The deadline cut the search short. */
  readonly degraded: boolean;
}

/** One generation's vectors of users or items, searchable. The interface of every engine; the exact engine is the oracle. */
export interface VectorEngine {
  readonly dims: number;
  readonly metric: Metric;
  readonly generation: Generation;
  /** Visible to every search that begins after it returned. @throws KindredError INVALID_ARGUMENT (wrong length, NaN, infinity), nothing applied */
  upsert(batch: VectorBatch): void;
  remove(ordinals: Uint32Array): void;
  /** The current vector (normalised under cosine); undefined where there is none. */
  vector(ordinal: number): Float32Array | undefined;
  search(query: Float32Array, options: SearchOptions): Promise<SearchResult>;
  /** Search from a stored vector; empty where it has none. */
  searchFrom(ordinal: number, options: SearchOptions): Promise<SearchResult>;
  /** The truth: every vector looked at. */
  searchExact(query: Float32Array, options: SearchOptions): Promise<SearchResult>;
  readonly size: number;
  close(): Promise<void>;
}

/** All that one generation's answers are made of. It is taken once a request, so that an answer never mixes two. */
export interface Space {
  /** Pooled vectors of users. */
  readonly users: VectorEngine;
  /** Where its model has output vectors. */
  readonly items: ItemEngines | undefined;
  /** What its users pool, where this process has them. */
  readonly itemVectors: ItemVectors | undefined;
}

/** One generation's items, searchable by the read model's item ordinals. */
export interface ItemEngines {
  readonly generation: Generation;
  /** u2i: output vectors, by inner product with a pooled user. */
  readonly outputs: VectorEngine;
  /** i2i: the vectors that the model compares items by; `outputs` itself where it does so by those. */
  readonly alike: VectorEngine;
}
