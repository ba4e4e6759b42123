import type { ItemId, UserOrdinal } from "../../schemas/ids.js";
import type { ReadModelReader, SearchOptions, SearchResult, Space } from "../../schemas/ports/read-model.js";
import type { ApiSettings } from "../server-parts.js";

export type Mode = "u2u" | "u2i" | "i2i" | "u2u2i";
export type Rung = "vector" | "fingerprint" | "session" | "co-occurrence" | "popular";
export type Method = "vector" | "fingerprint" | "items-of-neighbors" | "co-occurrence" | "popular" | "recent";

/** Items with a weight each; arrays run in parallel. */
export interface WeightedItems {
  readonly items: readonly ItemId[];
  readonly weights: ArrayLike<number>;
}

/** Items as the read model numbers them; those it does not know are left out. */
export interface Seeds {
  readonly ordinals: Uint32Array;
  readonly weights: Float32Array;
}

/** Who or what recall starts from: a user, an item, or the events of a session. What is costly is made when asked for. */
export interface Asker {
  readonly kind: "user" | "item" | "session";
  /** The user's own ordinal; undefined for anyone who has no row. */
  readonly user: UserOrdinal | undefined;
  /** What it did, strongest first, as at the begin; undefined where nothing is known. */
  profile(): WeightedItems | undefined;
  /** The same, read anew. */
  currentProfile(): WeightedItems | undefined;
  /** Users near its vector, best first; empty without a vector. */
  neighbors(options: SearchOptions): Promise<SearchResult>;
  /** Its vector of now. */
  vector(): Float32Array | undefined;
  /** Strongest items, at most `limit`; the weights' magnitudes add up to 1. */
  seeds(limit: number): Seeds;
  /** Every item it has met: not to be answered. */
  seen(): Uint32Array;
}

/** One recall: all of it taken at its begin, so that an answer never mixes generations. */
export interface Ask {
  readonly readModel: ReadModelReader;
  readonly space: Space;
  readonly asker: Asker;
  readonly limit: number;
  readonly settings: ApiSettings;
}

/** What a step found, best first; arrays run in parallel. */
export interface Found {
  readonly of: "users" | "items";
  readonly method: Method;
  readonly ordinals: Uint32Array;
  readonly scores: ArrayLike<number>;
  /** Of fingerprints, instead of a score. */
  readonly distances?: Uint8Array;
  readonly degraded: boolean;
  /** u2u2i: the neighbours, and for each result the neighbour that gave most. */
  readonly through?: { readonly neighbors: Uint32Array; readonly scores: Float32Array; readonly via: Uint32Array };
}

/** One step of the cold-start ladder. Finds nothing: the next one is tried. */
export interface RecallStep {
  readonly rung: Rung;
  readonly find: (ask: Ask) => Found | null | Promise<Found | null>;
}

export const NOTHING: Seeds = { ordinals: new Uint32Array(0), weights: new Float32Array(0) };
