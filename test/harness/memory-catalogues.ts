import type { Catalogue } from "../../schemas/catalogue.js";
import type { CatalogueNumber } from "../../schemas/ids.js";
import type { CatalogueStore } from "../../schemas/ports/event-log.js";

/** A CatalogueStore in memory, for tests. */
export class MemoryCatalogues implements CatalogueStore {
  readonly #catalogues = new Map<CatalogueNumber, Catalogue>();

  async put(catalogue: Catalogue): Promise<void> {
    this.#catalogues.set(catalogue.number, catalogue);
  }

  async get(number: CatalogueNumber): Promise<Catalogue | undefined> {
    return this.#catalogues.get(number);
  }

  async newest(): Promise<CatalogueNumber | 0> {
    return Math.max(0, ...this.#catalogues.keys()) as CatalogueNumber | 0;
  }
}
