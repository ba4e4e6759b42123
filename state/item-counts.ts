import { KindredError } from "../schemas/errors.js";
import type { StoreWrite } from "../schemas/ports/key-value-store.js";
import type { ItemChanges } from "./fold.js";
import { COUNTS_HEAD, countsKey, numberOfKey } from "./keys.js";

const CHUNK_ITEMS = 8192;
const ITEM_BYTES = 12;

const grown = <A extends Int32Array | Float64Array>(values: A, make: (length: number) => A, ordinal: number): A => {
  if (ordinal < values.length) return values;
  const larger = make(Math.max(2 * values.length, ordinal + 1));
  larger.set(values);
  return larger;
};

/** What one micro-batch changes about items, collected by ordinal; `drain` gives it and begins anew. */
export class ItemDeltas implements ItemChanges {
  #users = new Int32Array(1024);
  #events = new Int32Array(1024);
  #seen = new Int32Array(1024);
  #touched: number[] = [];

  users(item: number, change: 1 | -1): void {
    this.#touch(item);
    this.#users[item] = (this.#users[item] as number) + change;
  }

  event(item: number): void {
    this.#touch(item);
    this.#events[item] = (this.#events[item] as number) + 1;
  }

  /** Triples: item, change of users, events. */
  drain(): Int32Array {
    const triples = new Int32Array(3 * this.#touched.length);
    this.#touched.forEach((item, i) => {
      triples[3 * i] = item;
      triples[3 * i + 1] = this.#users[item] as number;
      triples[3 * i + 2] = this.#events[item] as number;
      this.#users[item] = 0;
      this.#events[item] = 0;
      this.#seen[item] = 0;
    });
    this.#touched = [];
    return triples;
  }

  #touch(item: number): void {
    if (item >= this.#seen.length) {
      const make = (length: number): Int32Array<ArrayBuffer> => new Int32Array(length);
      this.#users = grown(this.#users, make, item);
      this.#events = grown(this.#events, make, item);
      this.#seen = grown(this.#seen, make, item);
    }
    if (this.#seen[item] === 1) return;
    this.#seen[item] = 1;
    this.#touched.push(item);
  }
}

export interface CountsHead {
  /** The last commit that the snapshot includes. */
  readonly commit: number;
  /** Change records of commits that ended before this offset are gone. */
  readonly changesFrom: number;
}

/** How many users of the partition hold each item, and how many events it had, by ordinal; as of the last commit. 12 bytes an item. */
export class ItemCounts {
  #users = new Int32Array(1024);
  #events = new Float64Array(1024);

  users(item: number): number {
    return this.#users[item] ?? 0;
  }

  events(item: number): number {
    return this.#events[item] ?? 0;
  }

  /** @param triples item, change of users, events */
  apply(triples: Int32Array): void {
    for (let i = 0; i < triples.length; i += 3) {
      const item = triples[i] as number;
      this.#users = grown(this.#users, (n) => new Int32Array(n), item);
      this.#events = grown(this.#events, (n) => new Float64Array(n), item);
      this.#users[item] = (this.#users[item] as number) + (triples[i + 1] as number);
      this.#events[item] = (this.#events[item] as number) + (triples[i + 2] as number);
    }
  }

  /** The writes of a snapshot of the first `size` items. */
  snapshot(size: number, head: CountsHead): StoreWrite[] {
    const writes: StoreWrite[] = [];
    for (let from = 0; from < size; from += CHUNK_ITEMS) {
      const items = Math.min(CHUNK_ITEMS, size - from);
      const value = Buffer.allocUnsafe(ITEM_BYTES * items);
      for (let i = 0; i < items; i++) {
        value.writeInt32LE(this.users(from + i), ITEM_BYTES * i);
        value.writeDoubleLE(this.events(from + i), ITEM_BYTES * i + 4);
      }
      writes.push({ type: "put", key: countsKey(from / CHUNK_ITEMS), value });
    }
    writes.push({ type: "put", key: countsKey(COUNTS_HEAD), value: Buffer.from(JSON.stringify(head)) });
    return writes;
  }

  /** Takes one pair of a snapshot; the head where it is that. @throws KindredError STATE_CORRUPT */
  load(key: Uint8Array, value: Uint8Array): CountsHead | undefined {
    const chunk = numberOfKey(key);
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
    if (chunk === COUNTS_HEAD) return JSON.parse(bytes.toString("utf8")) as CountsHead;
    if (bytes.length % ITEM_BYTES !== 0) throw new KindredError("STATE_CORRUPT", "the snapshot of item counts is damaged");
    const from = chunk * CHUNK_ITEMS;
    const triples = new Int32Array(3);
    for (let i = 0; i < bytes.length / ITEM_BYTES; i++) {
      triples[0] = from + i;
      triples[1] = bytes.readInt32LE(ITEM_BYTES * i);
      this.apply(triples);
      this.#events[from + i] = bytes.readDoubleLE(ITEM_BYTES * i + 4);
    }
    return undefined;
  }
}
