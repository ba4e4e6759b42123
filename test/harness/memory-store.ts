import { KindredError } from "../../schemas/errors.js";
import type { KeyRange, KeyValueStore, StoreWrite } from "../../schemas/ports/key-value-store.js";
import { checkKey, ownedRange } from "../../state/store-keys.js";

/** Latin-1 text of a key: it compares as the bytes do, and a Map can hold it. */
const nameOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
const keyOf = (name: string): Uint8Array => Buffer.from(name, "latin1");

/** A KeyValueStore in memory, for tests: the same behaviour, nothing kept. `reopen()` after `close()` stands for a restart. */
export class MemoryStore implements KeyValueStore {
  readonly #values = new Map<string, Uint8Array>();
  #sorted: string[] | undefined;
  #open = true;

  get size(): number {
    return this.#values.size;
  }

  reopen(): this {
    this.#open = true;
    return this;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    checkKey(key);
    this.#checkOpen();
    return this.#values.get(nameOf(key))?.slice();
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    for (const key of keys) checkKey(key);
    this.#checkOpen();
    return keys.map((key) => this.#values.get(nameOf(key))?.slice());
  }

  async batch(writes: readonly StoreWrite[]): Promise<void> {
    for (const write of writes) checkKey(write.key);
    this.#checkOpen();
    for (const write of writes) {
      if (write.type === "put") this.#values.set(nameOf(write.key), new Uint8Array(write.value));
      else this.#values.delete(nameOf(write.key));
    }
    this.#sorted = undefined;
  }

  iterate(range: KeyRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]> {
    this.#checkOpen();
    // Values are replaced and never written into, so holding them is a consistent view.
    const pairs = this.#names(range).map((name) => [name, this.#values.get(name)] as const);
    return (async function* () {
      for (const [name, value] of pairs) if (value !== undefined) yield [keyOf(name), value.slice()] as const;
    })();
  }

  async clear(range: KeyRange): Promise<void> {
    this.#checkOpen();
    for (const name of this.#names(range)) this.#values.delete(name);
    this.#sorted = undefined;
  }

  async compact(): Promise<void> {
    this.#checkOpen();
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  #names(range: KeyRange): string[] {
    const { gt, gte, lt, lte, reverse, limit } = ownedRange(range);
    this.#sorted ??= [...this.#values.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const names = this.#sorted.filter(
      (name) =>
        (gt === undefined || name > nameOf(gt)) &&
        (gte === undefined || name >= nameOf(gte)) &&
        (lt === undefined || name < nameOf(lt)) &&
        (lte === undefined || name <= nameOf(lte)),
    );
    if (reverse === true) names.reverse();
    return limit === undefined || limit < 0 ? names : names.slice(0, limit);
  }

  #checkOpen(): void {
    if (!this.#open) throw new KindredError("STORAGE_FAILED", "the store is closed");
  }
}
