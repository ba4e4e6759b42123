import type { PayloadCipher } from "../../schemas/ports/event-log.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import type { KeptLetter } from "../replay-letters.js";
import { DeadLetterBatch, type DeadLetterCounters, FIRST_NONCE, HEAD_BYTES, type PlainLetter } from "./dead-letter-batch.js";
import { allOf, META, numberKey, numberOf, readNumber } from "./journal-keys.js";
import type { PayloadKeys } from "./payload-keys.js";

/**
 * Dead letters in the journal's store, sealed, at most `limit`. What changes them is a batch that says what to write:
 * the journal's writer has one at a time and puts the writes into the batch of the records that belong to them.
 */
export class DeadLetterStore {
  readonly #store: KeyValueStore;
  readonly #cipher: PayloadCipher;
  readonly #keys: PayloadKeys;
  readonly #limit: number;
  #counters: DeadLetterCounters;
  #droppedThrough = 0;

  private constructor(store: KeyValueStore, cipher: PayloadCipher, keys: PayloadKeys, limit: number, counters: DeadLetterCounters) {
    this.#store = store;
    this.#cipher = cipher;
    this.#keys = keys;
    this.#limit = limit;
    this.#counters = counters;
  }

  static async open(store: KeyValueStore, cipher: PayloadCipher, keys: PayloadKeys, limit: number): Promise<DeadLetterStore> {
    const stored = await store.get(META.deadLetters);
    const counters: DeadLetterCounters = { next: 1, kept: 0, dropped: 0, journalOffset: 0 };
    if (stored !== undefined) Object.assign(counters, JSON.parse(Buffer.from(stored).toString()));
    return new DeadLetterStore(store, cipher, keys, limit, counters);
  }

  get counts(): { readonly kept: number; readonly dropped: number } {
    return { kept: this.#counters.kept, dropped: this.#counters.dropped };
  }

  /** What one group of the journal changes; nothing of it holds before `commit`. */
  batch(): DeadLetterBatch {
    return new DeadLetterBatch(this.#store, this.#cipher, this.#keys, this.#limit, this.#counters, this.#droppedThrough);
  }

  /** The batch's writes are durable. */
  commit({ counters, droppedThrough }: DeadLetterBatch): void {
    this.#counters = counters;
    this.#droppedThrough = droppedThrough;
  }

  /** Letters after the number `after`, ascending; those whose key an erasure dropped are left out. */
  async list(after: number, limit: number): Promise<KeptLetter[]> {
    const found: KeptLetter[] = [];
    let from = after;
    while (found.length < limit) {
      const page: { number: number; ref: number; sealed: Uint8Array }[] = [];
      const range = { gt: numberKey("d", from), lt: allOf("d").lt, limit: Math.min(256, limit - found.length) };
      for await (const [key, value] of this.#store.iterate(range))
        page.push({ number: numberOf(key), ref: readNumber(value), sealed: value.subarray(HEAD_BYTES) });
      if (page.length === 0) break;
      from = page[page.length - 1]?.number ?? from;
      const keys = await this.#keys.ofRefs(page.map(({ ref }) => ref));
      const readable = page.filter(({ ref }) => keys.get(ref) !== undefined);
      const opened = this.#cipher.open(
        readable.map(({ ref }) => keys.get(ref) as Uint8Array),
        readable.map(({ number }) => FIRST_NONCE + number),
        readable.map(({ sealed }) => sealed),
      );
      opened.forEach((plain, i) => {
        if (plain !== null) found.push(letterOf(readable[i]?.number ?? 0, plain));
      });
    }
    return found;
  }
}

function letterOf(number: number, bytes: Uint8Array): KeptLetter {
  const { raw, ...plain } = JSON.parse(Buffer.from(bytes).toString()) as PlainLetter;
  return { letter: { number, ...plain }, ...(raw !== undefined && { raw }) };
}
