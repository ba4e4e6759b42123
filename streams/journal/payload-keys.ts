import { LRUCache } from "lru-cache";
import type { UserId } from "../../schemas/ids.js";
import type { KeyValueStore, StoreWrite } from "../../schemas/ports/key-value-store.js";
import { numberKey, numberValue, readNumber, textKey } from "./journal-keys.js";

/** A user's payload key. `ref` is the offset of the first record that it sealed: no two keys ever share one. */
export interface PayloadKey {
  readonly ref: number;
  readonly key: Uint8Array;
}

/** The reference of the journal's own key: erasures, activations, dead letters of nobody known. */
export const SYSTEM_REF = 0;

/** Keys that payloads are sealed under, one a user; a bounded number of them in memory. */
export class PayloadKeys {
  readonly #store: KeyValueStore;
  readonly #byUser: LRUCache<UserId, PayloadKey>;
  readonly #byRef: LRUCache<number, Uint8Array>;
  /** Counts erasures: a look-up that was under way during one must not put its key back. */
  #erasures = 0;

  constructor(
    store: KeyValueStore,
    readonly systemKey: Uint8Array,
    cacheEntries: number,
  ) {
    this.#store = store;
    this.#byUser = new LRUCache({ max: cacheEntries });
    this.#byRef = new LRUCache({ max: cacheEntries });
  }

  get erasures(): number {
    return this.#erasures;
  }

  /** The keys that `users` have; the others are not in the map. */
  async ofUsers(users: ReadonlySet<UserId>): Promise<Map<UserId, PayloadKey>> {
    const found = new Map<UserId, PayloadKey>();
    const missing: UserId[] = [];
    for (const user of users) {
      const known = this.#byUser.get(user);
      if (known === undefined) missing.push(user);
      else found.set(user, known);
    }
    if (missing.length === 0) return found;
    const values = await this.#store.getMany(missing.map((user) => textKey("k", user)));
    values.forEach((value, i) => {
      if (value === undefined) return;
      const user = missing[i] as UserId;
      const key = { ref: readNumber(value), key: value.slice(8) };
      found.set(user, key);
      this.#byUser.set(user, key);
    });
    return found;
  }

  /** The key of each reference; undefined where an erasure dropped it. */
  async ofRefs(refs: Iterable<number>): Promise<Map<number, Uint8Array | undefined>> {
    const found = new Map<number, Uint8Array | undefined>();
    const missing: number[] = [];
    for (const ref of refs) {
      if (found.has(ref)) continue;
      const known = ref === SYSTEM_REF ? this.systemKey : this.#byRef.get(ref);
      found.set(ref, known);
      if (known === undefined) missing.push(ref);
    }
    if (missing.length === 0) return found;
    const before = this.#erasures;
    const values = await this.#store.getMany(missing.map((ref) => numberKey("p", ref)));
    values.forEach((value, i) => {
      if (value === undefined) return;
      const ref = missing[i] as number;
      found.set(ref, value);
      if (before === this.#erasures) this.#byRef.set(ref, value);
    });
    return found;
  }

  /** Writes that make a new key durable, for the batch of the first record that it seals. */
  static writesToAdd(user: UserId, { ref, key }: PayloadKey): StoreWrite[] {
    return [
      { type: "put", key: textKey("k", user), value: Buffer.concat([numberValue(ref), key]) },
      { type: "put", key: numberKey("p", ref), value: key },
    ];
  }

  static writesToDrop(user: UserId, { ref }: PayloadKey): StoreWrite[] {
    return [
      { type: "del", key: textKey("k", user) },
      { type: "del", key: numberKey("p", ref) },
    ];
  }

  /** Called when the writes of `writesToAdd` are durable. */
  added(user: UserId, key: PayloadKey): void {
    this.#byUser.set(user, key);
    this.#byRef.set(key.ref, key.key);
  }

  /** Called when the writes of `writesToDrop` are durable. */
  dropped(user: UserId, { ref }: PayloadKey): void {
    this.#erasures++;
    this.#byUser.delete(user);
    this.#byRef.delete(ref);
  }
}
