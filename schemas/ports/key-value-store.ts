/** One write of an atomic batch. */
export type StoreWrite =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: Uint8Array };

/** Half-open or closed range of keys in byte order. */
export interface KeyRange {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly lte?: Uint8Array;
  readonly reverse?: boolean;
  /** At most so many pairs. */
  readonly limit?: number;
}

/** An ordered store of bytes with atomic batches: RocksDB, or memory in tests. Keys compare as unsigned bytes. */
export interface KeyValueStore {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** In the order of `keys`. */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  /** All writes or none; the values may be reused by the caller once this returned (not: resolved). With `sync`, on the disk before it resolves. */
  batch(writes: readonly StoreWrite[], options?: { readonly sync?: boolean }): Promise<void>;
  /** A consistent view of the range as of the call. */
  iterate(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>;
  /** Deletes a range. */
  clear(range: KeyRange): Promise<void>;
  /** Gives the space of deleted keys back; after it their bytes are gone from the files. */
  compact(from: Uint8Array, to: Uint8Array): Promise<void>;
  close(): Promise<void>;
}
