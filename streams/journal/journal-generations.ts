import { KindredError } from "../../schemas/errors.js";
import type { GenerationStore, GenerationsRecord } from "../../schemas/ports/generations.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import { META } from "./journal-keys.js";

/** Which generations there are to be, in the journal's store: one small record, replaced as a whole. */
export class JournalGenerations implements GenerationStore {
  constructor(private readonly store: KeyValueStore) {}

  /** @throws KindredError JOURNAL_CORRUPT */
  async read(): Promise<GenerationsRecord | undefined> {
    const value = await this.store.get(META.generations);
    if (value === undefined) return undefined;
    try {
      const read = JSON.parse(Buffer.from(value).toString()) as GenerationsRecord;
      if (Array.isArray(read.live) && read.live.some(({ generation }) => generation === read.serving)) return read;
    } catch {
      // Told below.
    }
    throw new KindredError("JOURNAL_CORRUPT", "what the journal says of generations is not readable");
  }

  async write(record: GenerationsRecord): Promise<void> {
    await this.store.batch([{ type: "put", key: META.generations, value: Buffer.from(JSON.stringify(record)) }], { sync: true });
  }
}
