import { createHmac } from "node:crypto";
import type { EpochMs, UserId } from "../../schemas/ids.js";
import type { DeadLetter } from "../../schemas/ports/admin.js";
import type { PayloadCipher } from "../../schemas/ports/event-log.js";
import type { KeyValueStore, StoreWrite } from "../../schemas/ports/key-value-store.js";
import { allOf, META, numberKey, numberOf, readNumber } from "../journal/journal-keys.js";
import { type PayloadKey, type PayloadKeys, SYSTEM_REF } from "../journal/payload-keys.js";
import { MAX_ORIGINAL_BYTES, type NewDeadLetter } from "./new-dead-letter.js";

/** Nonces of records are their offsets; those of letters lie above every offset. */
const FIRST_NONCE = 2 ** 52;
/** key reference f64, tag of the user 8 bytes (zeros: nobody known); the sealed letter follows. */
const HEAD_BYTES = 16;
const NOBODY = Buffer.alloc(8);

interface Counters {
  /** Number of the next letter. */
  next: number;
  kept: number;
  /** Oldest letters that left because the shelf was full. */
  dropped: number;
  /** Newest offset of the journal that a letter was kept of. */
  journalOffset: number;
}

/** A letter read back, with the event as it was read where that is known. */
export interface KeptLetter {
  readonly letter: DeadLetter;
  readonly raw?: unknown;
}

/**
 * Dead letters in the journal's store, sealed, at most `limit`. It only says what to write: the journal's writer calls it
 * one call at a time and puts the writes into the batch of the records that belong to them.
 */
export class DeadLetterShelf {
  readonly #store: KeyValueStore;
  readonly #cipher: PayloadCipher;
  readonly #keys: PayloadKeys;
  readonly #limit: number;
  readonly #counters: Counters;
  #droppedThrough = -1;

  private constructor(store: KeyValueStore, cipher: PayloadCipher, keys: PayloadKeys, limit: number, counters: Counters) {
    this.#store = store;
    this.#cipher = cipher;
    this.#keys = keys;
    this.#limit = limit;
    this.#counters = counters;
  }

  static async open(store: KeyValueStore, cipher: PayloadCipher, keys: PayloadKeys, limit: number): Promise<DeadLetterShelf> {
    const stored = await store.get(META.deadLetters);
    const counters: Counters = { next: 1, kept: 0, dropped: 0, journalOffset: 0 };
    if (stored !== undefined) Object.assign(counters, JSON.parse(Buffer.from(stored).toString()));
    return new DeadLetterShelf(store, cipher, keys, limit, counters);
  }

  get counts(): { readonly kept: number; readonly dropped: number } {
    return { kept: this.#counters.kept, dropped: this.#counters.dropped };
  }

  /** Writes that keep `letters`; the oldest leave where there are more than the limit. */
  async keep(letters: readonly NewDeadLetter[], at: EpochMs, keyOf: (user: UserId) => PayloadKey | undefined): Promise<StoreWrite[]> {
    const fresh = letters.filter(({ journalOffset }) => journalOffset === undefined || journalOffset > this.#counters.journalOffset);
    if (fresh.length === 0) return [];
    const numbers = fresh.map((_, i) => this.#counters.next + i);
    const owners = fresh.map(({ user }) => (user === undefined ? undefined : keyOf(user)));
    const sealed = this.#cipher.seal(
      owners.map((owner) => owner?.key ?? this.#keys.systemKey),
      numbers.map((number) => FIRST_NONCE + number),
      fresh.map((letter) => plainOf(letter, at)),
    );
    const writes = sealed.map((bytes, i): StoreWrite => {
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeDoubleLE(owners[i]?.ref ?? SYSTEM_REF);
      this.#tagOf(fresh[i]?.user).copy(head, 8);
      return { type: "put", key: numberKey("d", numbers[i] as number), value: Buffer.concat([head, bytes]) };
    });
    this.#counters.next += fresh.length;
    this.#counters.kept += fresh.length;
    for (const { journalOffset } of fresh) this.#counters.journalOffset = Math.max(this.#counters.journalOffset, journalOffset ?? 0);
    return [...writes, ...(await this.#dropOldest(writes)), this.#putCounters()];
  }

  /** Writes that take letters from the shelf. */
  remove(numbers: readonly number[]): StoreWrite[] {
    this.#counters.kept -= numbers.length;
    return [...numbers.map((number): StoreWrite => ({ type: "del", key: numberKey("d", number) })), this.#putCounters()];
  }

  /** Writes that delete every letter known to be about an erased user. */
  async forget(user: UserId): Promise<StoreWrite[]> {
    if (this.#counters.kept === 0) return [];
    const tag = this.#tagOf(user);
    const found: number[] = [];
    for await (const [key, value] of this.#store.iterate(allOf("d")))
      if (tag.compare(value, 8, HEAD_BYTES) === 0) found.push(numberOf(key));
    return found.length === 0 ? [] : this.remove(found);
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

  async #dropOldest(added: readonly StoreWrite[]): Promise<StoreWrite[]> {
    const excess = this.#counters.kept - this.#limit;
    if (excess <= 0) return [];
    const oldest: number[] = [];
    const range = { gt: numberKey("d", Math.max(0, this.#droppedThrough)), lt: allOf("d").lt, limit: excess };
    for await (const [key] of this.#store.iterate(range)) oldest.push(numberOf(key));
    for (const { key } of added.slice(0, excess - oldest.length)) oldest.push(numberOf(key));
    this.#counters.kept -= oldest.length;
    this.#counters.dropped += oldest.length;
    this.#droppedThrough = oldest[oldest.length - 1] ?? this.#droppedThrough;
    return oldest.map((number) => ({ type: "del", key: numberKey("d", number) }));
  }

  /** Finds a user's letters without opening them; says nothing to who has not the journal's key. */
  #tagOf(user: UserId | undefined): Buffer {
    return user === undefined ? NOBODY : createHmac("sha256", this.#keys.systemKey).update(user).digest().subarray(0, 8);
  }

  #putCounters(): StoreWrite {
    return { type: "put", key: META.deadLetters, value: Buffer.from(JSON.stringify(this.#counters)) };
  }
}

interface PlainLetter {
  readonly code: DeadLetter["code"];
  readonly message: string;
  readonly origin: string;
  readonly at: EpochMs;
  readonly original: string;
  readonly raw?: unknown;
}

function plainOf({ code, message, origin, original, raw }: NewDeadLetter, at: EpochMs): Uint8Array {
  const plain: PlainLetter = {
    code,
    message,
    origin,
    at,
    original: asText(original.subarray(0, MAX_ORIGINAL_BYTES)),
    ...(raw !== undefined && { raw }),
  };
  return Buffer.from(JSON.stringify(plain));
}

function letterOf(number: number, bytes: Uint8Array): KeptLetter {
  const { raw, ...plain } = JSON.parse(Buffer.from(bytes).toString()) as PlainLetter;
  return { letter: { number, ...plain }, ...(raw !== undefined && { raw }) };
}

/** UTF-8 text where the bytes are that, else base64 with its prefix. */
function asText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return `base64:${Buffer.from(bytes).toString("base64")}`;
  }
}
