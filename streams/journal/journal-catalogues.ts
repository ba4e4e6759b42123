import type { Catalogue } from "../../schemas/catalogue.js";
import type { CatalogueNumber } from "../../schemas/ids.js";
import type { CatalogueStore } from "../../schemas/ports/event-log.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import { decodeCatalogue, encodeCatalogue } from "../../state/catalogue-builder.js";
import { allOf, numberKey, numberOf } from "./journal-keys.js";

/** Catalogues by number in the journal's store: stored before the record that activates them. */
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
}
