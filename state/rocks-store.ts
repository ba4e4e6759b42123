import { mkdir } from "node:fs/promises";
import rocksdb, { type RocksDb, type RocksIterator, type RocksRange } from "rocksdb";
import { type ErrorCode, KindredError } from "../schemas/errors.js";
import type { KeyRange, KeyValueStore, StoreWrite } from "../schemas/ports/key-value-store.js";
import { checkKey, ownedRange } from "./store-keys.js";

/** Keeps the version of what the directory holds, as 4 bytes, little endian. */
const FORMAT_KEY = Buffer.from("\0format");
/** Pairs taken from the native iterator for one turn of an async loop. */
const CHUNK_PAIRS = 256;

export interface RocksStoreOptions {
  /** Version of the layout that the caller writes, from 1. Absent: not checked. */
  readonly formatVersion?: number;
  /** The code of a damaged directory; STATE_CORRUPT unless it is the journal's. */
  readonly corruptCode?: ErrorCode;
  /** Bytes of the block cache; default 32 MiB. */
  readonly cacheBytes?: number;
  /** Bytes of a memtable; default 32 MiB. RocksDB keeps at most two. */
  readonly writeBufferBytes?: number;
}

/**
 * Opens (or makes) a RocksDB directory, which this process alone then owns.
 * @throws KindredError DIRECTORY_IN_USE (another opener holds its lock), DIRECTORY_NEWER (a later format version),
 * `corruptCode` (damaged), STORAGE_FAILED (no space, no rights)
 */
export async function openRocksStore(directory: string, options: RocksStoreOptions = {}): Promise<KeyValueStore> {
  await mkdir(directory, { recursive: true });
  const corrupt = options.corruptCode ?? "STATE_CORRUPT";
  const db = rocksdb(directory);
  await new Promise<void>((resolve, reject) => {
    const opened = (error?: Error | null): void => (error ? reject(openError(error, directory, corrupt)) : resolve());
    db.open({ cacheSize: options.cacheBytes ?? 32 << 20, writeBufferSize: options.writeBufferBytes ?? 32 << 20 }, opened);
  });
  const store = new RocksStore(db, directory, corrupt);
  try {
    if (options.formatVersion !== undefined) await store.checkFormat(options.formatVersion);
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

function openError(error: Error, directory: string, corrupt: ErrorCode): KindredError {
  if (/lock/i.test(error.message))
    return new KindredError("DIRECTORY_IN_USE", `${directory} is in use by another process`, directory, { cause: error });
  const damaged = /^(Corruption|Invalid argument|Not implemented)|No such file/i.test(error.message);
  return new KindredError(damaged ? corrupt : "STORAGE_FAILED", `${directory} could not be opened: ${error.message}`, directory, {
    cause: error,
  });
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function nativeRange(range: KeyRange): RocksRange {
  const { gt, gte, lt, lte, reverse, limit } = ownedRange(range);
  return {
    ...(gt !== undefined && { gt: asBuffer(gt) }),
    ...(gte !== undefined && { gte: asBuffer(gte) }),
    ...(lt !== undefined && { lt: asBuffer(lt) }),
    ...(lte !== undefined && { lte: asBuffer(lte) }),
    ...(reverse !== undefined && { reverse }),
    ...(limit !== undefined && { limit }),
  };
}

class RocksStore implements KeyValueStore {
  readonly #db: RocksDb;
  #closing: Promise<void> | undefined;

  constructor(
    db: RocksDb,
    readonly directory: string,
    readonly corrupt: ErrorCode,
  ) {
    this.#db = db;
  }

  /** @throws KindredError DIRECTORY_NEWER */
  async checkFormat(ours: number): Promise<void> {
    const stored = await this.#get(FORMAT_KEY);
    if (stored === undefined) {
      const value = Buffer.alloc(4);
      value.writeUInt32LE(ours);
      return this.#batch([{ type: "put", key: FORMAT_KEY, value }], true);
    }
    const version = Buffer.from(stored).readUInt32LE(0);
    if (version > ours)
      throw new KindredError(
        "DIRECTORY_NEWER",
        `${this.directory} has format ${version}, this version of kindred reads up to ${ours}`,
        this.directory,
      );
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    checkKey(key);
    return this.#get(asBuffer(key));
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    for (const key of keys) checkKey(key);
    if (keys.length === 0) return [];
    return this.#call<(Buffer | undefined)[]>((done) => this.#db.getMany(keys.map(asBuffer), { asBuffer: true }, done));
  }

  async batch(writes: readonly StoreWrite[], options: { readonly sync?: boolean } = {}): Promise<void> {
    for (const write of writes) checkKey(write.key);
    return this.#batch(writes, options.sync ?? false);
  }

  iterate(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    // Made here and not in the generator, whose body would only run at the first pull: the view is as of the call.
    const iterator = this.#guard(() =>
      this.#db.iterator({ ...nativeRange(range), highWaterMark: 256 << 10, keyAsBuffer: true, valueAsBuffer: true }),
    );
    return this.#pairs(iterator);
  }

  async clear(range: KeyRange): Promise<void> {
    await this.#call<void>((done) => this.#db.clear(nativeRange(range), done));
  }

  async compact(from: Uint8Array, to: Uint8Array): Promise<void> {
    await this.#call<void>((done) => this.#db.compactRange(asBuffer(from), asBuffer(to), done));
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      const closed = this.#call<void>((done) => this.#db.close(done));
      this.#closing = closed;
    }
    return this.#closing;
  }

  async *#pairs(iterator: RocksIterator): AsyncGenerator<readonly [Uint8Array, Uint8Array]> {
    try {
      for (;;) {
        const { pairs, ended } = await this.#nextChunk(iterator);
        yield* pairs;
        if (ended) return;
      }
    } finally {
      // Closing ends what is left open; ending it twice would never call back.
      if (this.#closing === undefined) await new Promise<void>((resolve) => iterator.end(() => resolve()));
    }
  }

  #nextChunk(iterator: RocksIterator): Promise<{ pairs: [Uint8Array, Uint8Array][]; ended: boolean }> {
    return new Promise((resolve, reject) => {
      const pairs: [Uint8Array, Uint8Array][] = [];
      const pull = (): void => {
        if (this.#closing !== undefined) {
          reject(this.#failure(new Error("closed while it was read")));
          return;
        }
        iterator.next((error, key, value) => {
          if (error) return reject(this.#failure(error));
          if (key === undefined || value === undefined) return resolve({ pairs, ended: true });
          pairs.push([key, value]);
          if (pairs.length >= CHUNK_PAIRS) return resolve({ pairs, ended: false });
          pull();
        });
      };
      pull();
    });
  }

  #get(key: Buffer): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.#guard(() =>
        this.#db.get(key, { asBuffer: true }, (error, value) => {
          if (error && /notfound/i.test(error.message)) resolve(undefined);
          else if (error) reject(this.#failure(error));
          else resolve(value);
        }),
      );
    });
  }

  async #batch(writes: readonly StoreWrite[], sync: boolean): Promise<void> {
    const native = writes.map((write) =>
      write.type === "put"
        ? { type: write.type, key: asBuffer(write.key), value: asBuffer(write.value) }
        : { type: write.type, key: asBuffer(write.key) },
    );
    await this.#call<void>((done) => this.#db.batch(native, { sync }, done));
  }

  #call<T>(call: (done: (error?: Error | null, value?: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#guard(() => call((error, value) => (error ? reject(this.#failure(error)) : resolve(value as T))));
    });
  }

  /** The native side must not be called after a close: it would touch freed memory. */
  #guard<T>(call: () => T): T {
    if (this.#closing !== undefined) throw this.#failure(new Error("the store is closed"));
    try {
      return call();
    } catch (error) {
      throw this.#failure(error as Error);
    }
  }

  #failure(error: Error): KindredError {
    const code = /^Corruption/i.test(error.message) ? this.corrupt : "STORAGE_FAILED";
    return new KindredError(code, `${this.directory}: ${error.message}`, this.directory, { cause: error });
  }
}
