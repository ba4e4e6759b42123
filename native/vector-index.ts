import { loadAddon } from "./addon.js";

/**
 * The typed door to the addon's vector index. Calls throw, and promises reject with, an Error whose `code` is one of
 * schemas/errors.ts: INVALID_ARGUMENT, SHARD_CORRUPT, SHARD_UNVERIFIED, STORAGE_FAILED, OUT_OF_MEMORY, INTERNAL.
 * Arguments are checked again on the other side of it.
 */
export interface NativeVectorIndex {
  /** For attachVectorIndex in another thread of the process, while this one is open. */
  readonly handle: number;
  readonly size: number;
  readonly options: Readonly<Omit<NativeIndexOptions, "ef" | "scanRowsPerEf" | "longestShare">>;
  /** 1..10,000; of all searches that name none. */
  defaultEf: number;
  upsert(ordinals: Uint32Array, vectors: Float32Array): void;
  remove(ordinals: Uint32Array): void;
  vector(ordinal: number): Float32Array | undefined;
  /** On libuv's pool. `queries` is count x dims, or an ordinal whose vector is the query. 0 for `ef` and `deadlineMs`: none given. */
  search(
    queries: Float32Array | number,
    k: number,
    ef: number,
    exclude: Uint32Array | undefined,
    allow: Uint32Array | undefined,
    deadlineMs: number,
    exact: boolean,
  ): Promise<NativeSearchResult>;
  /** On a thread of its own, as the five below, at low priority but for `publish` and `load`; undefined when the index was closed meanwhile. */
  build(shard: number, m: number, efConstruction: number, seed: number): Promise<NativeStagedGraph | undefined>;
  verify(staged: NativeStagedGraph, samples: number, k: number, ef: number, seed: number): Promise<NativeMeasuredRecall>;
  publish(staged: NativeStagedGraph, minRecall: number): Promise<void>;
  measureRecall(samples: number, k: number, ef: number, seed: number): Promise<NativeMeasuredRecall>;
  freeze(shard: number): Promise<NativeFrozenShard>;
  load(shard: number, prefix: string, files: readonly NativeFile[], ordinals: Uint32Array): Promise<void>;
  stats(): NativeIndexStats;
  close(): void;
}

export interface NativeIndexOptions {
  readonly dims: number;
  readonly metric: "cosine" | "inner-product";
  readonly storage: "float32" | "float16";
  readonly shards: number;
  readonly driftCosine: number;
  readonly ef: number;
  readonly scanRowsPerEf: number;
  /** 0..1, of inner product; 1/32 where absent. */
  readonly longestShare?: number;
  readonly generation: number;
}

export interface NativeSearchResult {
  /** Of all queries one after the other, `counts` each. */
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
  readonly counts: Uint32Array;
  readonly degraded: boolean;
}

export interface NativeMeasuredRecall {
  /** recall@k, 0..1; -1 where there was nothing to ask, or the index was closed meanwhile. */
  readonly recall: number;
  /** Of that mean; 1 where fewer than two were asked. */
  readonly standardError: number;
  readonly queries: number;
  /** Queries answered over graphs; the others by exact scans, whatever ef is. */
  readonly walked: number;
  /** What the measurement took, on one thread. */
  readonly cpuSeconds: number;
}

export interface NativeStagedGraph {
  readonly nodes: number;
  /** Gives its memory back; the shard goes on as it is. */
  discard(): void;
}

export interface NativeFrozenShard {
  /** Of its rows, in the order of the files. */
  readonly ordinals: Uint32Array;
  /** Of its graph; 0 where it has none. */
  readonly nodes: number;
  /** Writes and syncs prefix + suffix for each file. */
  write(prefix: string): Promise<NativeFile[]>;
}

export interface NativeFile {
  readonly suffix: string;
  readonly bytes: number;
  readonly crc32c: number;
}

export interface NativeShardStats {
  /** Ordinals with a vector. */
  readonly rows: number;
  /** Of the graph; 0 before the first build. */
  readonly nodes: number;
  /** Entries of the fresh list, scanned exactly by each search. */
  readonly fresh: number;
  /** Those of them that the graph has elsewhere. */
  readonly drifted: number;
  /** In the graph, without a vector now. */
  readonly removed: number;
  /** Vectors written since the last swap. */
  readonly changed: number;
  readonly building: boolean;
}

export interface NativeIndexStats {
  /** Ordinals with a vector. */
  readonly size: number;
  readonly shards: readonly NativeShardStats[];
  /** Nodes that stand for many ordinals with one vector, and those ordinals. */
  readonly buckets: number;
  readonly bucketMembers: number;
  /** Replaced vectors that a reader may still look at. */
  readonly limboSlots: number;
  /** Replaced shard sets that a reader still holds. */
  readonly retired: number;
  readonly swaps: number;
  readonly memoryBytes: { readonly table: number; readonly graph: number; readonly fresh: number; readonly writer: number };
  /** avx512, avx2, neon or plain. */
  readonly kernel: string;
}

/** Stands for the ordinal of an id that nobody knows (any more), in `load`: above every ordinal. */
export const NO_ORDINAL = 0x7fffffff;

interface VectorIndexExports {
  createVectorIndex(options: NativeIndexOptions): NativeVectorIndex;
  attachVectorIndex(handle: number): NativeVectorIndex;
  crc32c(bytes: Uint8Array, before?: number): number;
}

const addon = (): VectorIndexExports => loadAddon() as VectorIndexExports;

export const createVectorIndex = (options: NativeIndexOptions): NativeVectorIndex => addon().createVectorIndex(options);
/** @throws INVALID_ARGUMENT where no index is open with the handle */
export const attachVectorIndex = (handle: number): NativeVectorIndex => addon().attachVectorIndex(handle);
/** CRC-32C (Castagnoli) of bytes that follow those with checksum `before`. */
export const crc32c = (bytes: Uint8Array, before = 0): number => addon().crc32c(bytes, before);
