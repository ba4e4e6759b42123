/** The part of rocksdb 5.2.1 (abstract-leveldown 7) that rocks-store.ts uses; the package ships no types. */
declare module "rocksdb" {
  type Done = (error?: Error | null) => void;

  export interface RocksIterator {
    /** `key` and `value` are both undefined at the end. */
    next(callback: (error: Error | null | undefined, key?: Buffer, value?: Buffer) => void): unknown;
    end(callback: Done): unknown;
  }

  export interface RocksOpenOptions {
    createIfMissing?: boolean;
    compression?: boolean;
    /** Bytes of the block cache. */
    cacheSize?: number;
    /** Bytes of the memtable. */
    writeBufferSize?: number;
    maxOpenFiles?: number;
  }

  export interface RocksRange {
    gt?: Buffer;
    gte?: Buffer;
    lt?: Buffer;
    lte?: Buffer;
    reverse?: boolean;
    limit?: number;
  }

  export interface RocksDb {
    open(options: RocksOpenOptions, callback: Done): void;
    close(callback: Done): void;
    get(key: Buffer, options: { asBuffer: true }, callback: (error: Error | null | undefined, value?: Buffer) => void): void;
    getMany(
      keys: Buffer[],
      options: { asBuffer: true },
      callback: (error: Error | null | undefined, values?: (Buffer | undefined)[]) => void,
    ): void;
    batch(writes: { type: "put" | "del"; key: Buffer; value?: Buffer }[], options: { sync: boolean }, callback: Done): void;
    iterator(options: RocksRange & { highWaterMark?: number; keyAsBuffer: true; valueAsBuffer: true }): RocksIterator;
    clear(range: RocksRange, callback: Done): void;
    compactRange(from: Buffer, to: Buffer, callback: Done): void;
  }

  const rocksdb: (location: string) => RocksDb;
  export default rocksdb;
}
