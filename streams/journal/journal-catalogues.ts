import type { Catalogue } from "../../schemas/catalogue.js";
import type { CatalogueNumber } from "../../schemas/ids.js";
import type { CatalogueStore } from "../../schemas/ports/event-log.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import { allOf, numberKey, numberOf } from "./journal-keys.js";

/** How a catalogue becomes bytes; `state/` knows. */
export interface CatalogueCodec {
  encode(catalogue: Catalogue): Uint8Array;
  decode(bytes: Uint8Array): Catalogue;
}

/** Catalogues by number in the journal's store: stored before the record that activates them. */
export class JournalCatalogues implements CatalogueStore {
  constructor(
    readonly store: KeyValueStore,
    readonly codec: CatalogueCodec,
  ) {}

  async put(catalogue: Catalogue): Promise<void> {
    await this.store.batch([{ type: "put", key: numberKey("c", catalogue.number), value: this.codec.encode(catalogue) }], { sync: true });
  }

  async get(number: CatalogueNumber): Promise<Catalogue | undefined> {
    const value = await this.store.get(numberKey("c", number));
    return value === undefined ? undefined : this.codec.decode(value);
  }

  async newest(): Promise<CatalogueNumber | 0> {
    for await (const [key] of this.store.iterate({ ...allOf("c"), reverse: true, limit: 1 })) return numberOf(key) as CatalogueNumber;
    return 0;
  }
}
