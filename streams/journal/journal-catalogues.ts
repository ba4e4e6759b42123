import type { Catalogue } from "../../schemas/catalogue.js";
import type { CatalogueNumber, Offset } from "../../schemas/ids.js";
import type { CatalogueStore } from "../../schemas/ports/event-log.js";
import type { KeyValueStore, StoreWrite } from "../../schemas/ports/key-value-store.js";
import { decodeCatalogue, encodeCatalogue } from "../../state/catalogue-builder.js";
import { allOf, numberKey, numberOf, readNumber } from "./journal-keys.js";

/** Catalogues by number in the journal's store: stored before the record that activates them. Only the newest is ever activated. */
export class JournalCatalogues implements CatalogueStore {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  /** Durable when it resolves. */
  async put(catalogue: Catalogue): Promise<void> {
    await this.#store.batch([{ type: "put", key: numberKey("c", catalogue.number), value: await encodeCatalogue(catalogue) }], {
      sync: true,
    });
  }

  async get(number: CatalogueNumber): Promise<Catalogue | undefined> {
    const value = await this.#store.get(numberKey("c", number));
    return value === undefined ? undefined : decodeCatalogue(value);
  }

  async newest(): Promise<CatalogueNumber | 0> {
    for await (const [key] of this.#store.iterate({ ...allOf("c"), reverse: true, limit: 1 })) return numberOf(key) as CatalogueNumber;
    return 0;
  }

  /** The lowest number stored; 0 when none is. */
  async oldest(): Promise<CatalogueNumber | 0> {
    for await (const [key] of this.#store.iterate({ ...allOf("c"), limit: 1 })) return numberOf(key) as CatalogueNumber;
    return 0;
  }

  /** The catalogue that the record at `offset` is folded with; undefined where the journal does not remember so far back. */
  async activeAt(offset: Offset): Promise<CatalogueNumber | undefined> {
    return (await this.#activationAt(offset))?.catalogue;
  }

  /**
   * Deletes the catalogues that nothing can ask for any more: those older than what the log from `first` on is folded with, and
   * older than `ofState`. A crash in the middle leaves the rest to the next call.
   * @param first the first offset kept: durable, so that no cut is undone
   * @param ofState the oldest that a row of the state may be of, also after a power failure
   * @returns whether anything went
   */
  async dropUnused(first: Offset, ofState: CatalogueNumber | 0): Promise<boolean> {
    const start = await this.#activationAt(first);
    if (start === undefined) return false;
    let oldest: number = ofState;
    const kept = { gte: numberKey("a", start.offset), lt: allOf("a").lt };
    for await (const [, value] of this.#store.iterate(kept)) oldest = Math.min(oldest, readNumber(value));
    const forgotten: StoreWrite[] = [];
    const before = { gte: allOf("a").gte, lt: kept.gte };
    for await (const [key, value] of this.#store.iterate(before)) if (readNumber(value) < oldest) forgotten.push({ type: "del", key });
    if (forgotten.length > 0) await this.#store.batch(forgotten);
    const gone = { gte: numberKey("c", 0), lt: numberKey("c", oldest) };
    // Also one that a crash kept from being activated, and those of before activations were remembered.
    for await (const _ of this.#store.iterate({ ...gone, limit: 1 })) {
      await this.#store.clear(gone);
      await this.#store.compact(gone.gte, gone.lt);
      return true;
    }
    return false;
  }

  /** The newest activation at or before `offset`. */
  async #activationAt(offset: Offset): Promise<{ readonly offset: Offset; readonly catalogue: CatalogueNumber } | undefined> {
    const range = { gte: allOf("a").gte, lte: numberKey("a", offset), reverse: true, limit: 1 };
    for await (const [key, value] of this.#store.iterate(range))
      return { offset: numberOf(key) as Offset, catalogue: readNumber(value) as CatalogueNumber };
    return undefined;
  }
}
