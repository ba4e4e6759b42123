/** Branded types for ids and numbers that must not mix; a brand exists at compile time only. */
declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A user's id as producers send it: 1-128 UTF-16 code units. */
export type UserId = Branded<string, "UserId">;
/** An item's id as producers send it: 1-128 UTF-16 code units, `type:name` by convention. */
export type ItemId = Branded<string, "ItemId">;
/** Number of a generation (a model and the indexes built of it); 0 needs no training. */
export type Generation = Branded<number, "Generation">;
/** Number of a catalogue (immutable side information and fold settings), from 1. */
export type CatalogueNumber = Branded<number, "CatalogueNumber">;
/** The first catalogue of all: what holds in a partition of a topic before any record activates another. */
export const FIRST_CATALOGUE = 1 as CatalogueNumber;
/** A partition of the log, from 0. The journal has partition 0 only. */
export type Partition = Branded<number, "Partition">;
/** A record's place in its partition, from 1; 0 means before the first record. */
export type Offset = Branded<number, "Offset">;
/** Dense number of a user in the memory of this process; never stored, never sent. */
export type UserOrdinal = Branded<number, "UserOrdinal">;
/** Dense number of an item in the memory of this process; never stored, never sent. */
export type ItemOrdinal = Branded<number, "ItemOrdinal">;
/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = number;

/** Longest accepted user and item id, in UTF-16 code units. */
export const MAX_ID_LENGTH = 128;
/** Longest accepted idempotency key of an event, in UTF-16 code units. */
export const MAX_EVENT_ID_LENGTH = 64;
