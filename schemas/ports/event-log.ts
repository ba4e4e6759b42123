import type { Catalogue } from "../catalogue.js";
import type { BehaviourEvent } from "../event.js";
import type { CatalogueNumber, EpochMs, Offset, Partition, UserId } from "../ids.js";
import type { ItemInfo } from "../item.js";
import type { Position } from "../position.js";

/** Where producers' events go; what it resolves is durable. The journal or a Kafka producer stands behind it. */
export interface EventIntake {
  /** Durable before it resolves; all or none. @throws KindredError OVERLOADED (nothing was taken), STORAGE_FAILED */
  append(events: readonly BehaviourEvent[]): Promise<Position>;
  putItems(items: readonly ItemInfo[]): Promise<void>;
  /** Appends the erasure and drops the user's payload key. */
  erase(user: UserId, at: EpochMs): Promise<{ readonly position: Position; readonly payloadKeyDropped: boolean }>;
}

/** How far the read model has come. */
export interface AppliedPosition {
  current(): { readonly position: Position; readonly eventTime: EpochMs };
  /** True when everything up to `position` is recallable; false after `timeoutMs`. */
  waitFor(position: Position, timeoutMs: number): Promise<boolean>;
}

/** One undecoded record of a log. `bytes` is null where the payload's key was dropped by an erasure, or for a tombstone. */
export interface SourceRecord {
  readonly offset: Offset;
  readonly bytes: Uint8Array | null;
  /** When the log took the record: freshness is measured from here. 0 = unknown. */
  readonly acceptedAt: EpochMs;
  /** The log's bytes here fail their check (`bytes` is null): a dead letter. `through` = the last offset lost with them, >= `offset`. */
  readonly damage?: { readonly message: string; readonly through: Offset };
  /** The record's key on a topic; absent in a journal, null where the producer gave none. */
  readonly key?: Uint8Array | null;
  /** What a record of ours on a topic says it is (`erase`, `activate`); absent: an event. */
  readonly kind?: string;
}

export interface SourceBatch {
  readonly partition: Partition;
  readonly records: readonly SourceRecord[];
  /** The batch covers everything up to here, also offsets that hold no record any more. */
  readonly endOffset: Offset;
  /** Many more are behind it, and the next read gives a batch soon, be it an empty one: it need not be written by itself. */
  readonly more?: boolean;
}

export interface ReadOptions {
  /** 1.. */
  readonly maxRecords: number;
  readonly signal: AbortSignal;
  readonly waitMs?: number;
}

/** A log that is pulled, one batch at a time. */
export interface LogReader {
  /**
   * At most `maxRecords` records after `after`. Waits for new ones at most `waitMs` (absent: as long as the log is
   * open), then gives an empty batch that ends at `after`. Resolves null when a finite source has ended, or when
   * `signal` aborts.
   */
  read(after: Offset, options: ReadOptions): Promise<SourceBatch | null>;
}

/** Stored catalogues: in the journal's directory or on a topic. */
export interface CatalogueStore {
  get(number: CatalogueNumber): Promise<Catalogue | undefined>;
  /** The highest number stored; 0 when none is. */
  newest(): Promise<CatalogueNumber | 0>;
}

/** Seals payloads of the log under their user's key. Arrays run in parallel, one entry a payload. */
export interface PayloadCipher {
  /** 32 random bytes. */
  newKey(): Uint8Array;
  /** `nonces[i]` must be unique per key: the record's offset is. The sealed form is 16 bytes longer. */
  seal(keys: readonly Uint8Array[], nonces: readonly number[], payloads: readonly Uint8Array[]): Uint8Array[];
  /** null where the payload was changed or the key is another. */
  open(keys: readonly Uint8Array[], nonces: readonly number[], sealed: readonly Uint8Array[]): (Uint8Array | null)[];
}
