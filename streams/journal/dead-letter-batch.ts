import { createHmac } from "node:crypto";
import type { EpochMs, UserId } from "../../schemas/ids.js";
import type { DeadLetter } from "../../schemas/ports/admin.js";
import type { PayloadCipher } from "../../schemas/ports/event-log.js";
import type { KeyValueStore, StoreWrite } from "../../schemas/ports/key-value-store.js";
import { MAX_ORIGINAL_BYTES, type NewDeadLetter, originalText } from "../new-dead-letter.js";
import { allOf, META, numberKey, numberOf } from "./journal-keys.js";
import { type PayloadKey, type PayloadKeys, SYSTEM_REF } from "./payload-keys.js";

/** Nonces of records are their offsets; those of letters lie above every offset. */
export const FIRST_NONCE = 2 ** 52;
/** key reference f64, tag of the user 8 bytes (zeros: nobody known); the sealed letter follows. */
export const HEAD_BYTES = 16;
const NOBODY = Buffer.alloc(8);

/** What is known of the dead letters besides themselves. */
export interface DeadLetterCounters {
  /** Number of the next letter. */
  readonly next: number;
  readonly kept: number;
  /** Oldest letters that left because there were too many. */
  readonly dropped: number;
  /** Newest offset of the journal that a letter was kept of. */
  readonly journalOffset: number;
}

/** A letter as it is sealed. */
export interface PlainLetter {
  readonly code: DeadLetter["code"];
  readonly message: string;
  readonly origin: string;
  readonly at: EpochMs;
  readonly original: string;
  readonly raw?: unknown;
}

/**
 * The dead letters as one group of the journal will leave them. The store holds nothing of the group before its batch is written, so
 * what the group added and removed is known here: no letter is counted twice, and an erasure finds the letters added before it.
 */
export class DeadLetterBatch {
  /** Letters of the group by number, ascending; those that leave again within it are never written. */
  readonly #added = new Map<number, { readonly tag: Buffer; readonly value: Buffer }>();
  /** Numbers of letters in the store that the group deletes. */
  readonly #removed = new Set<number>();
  #counters: DeadLetterCounters;
  #droppedThrough: number;
  #changed = false;

  constructor(
    private readonly store: KeyValueStore,
    private readonly cipher: PayloadCipher,
    private readonly keys: PayloadKeys,
    private readonly limit: number,
    counters: DeadLetterCounters,
    droppedThrough: number,
  ) {
    this.#counters = counters;
    this.#droppedThrough = droppedThrough;
  }

  /** With the group, once `writes` was called. */
  get counters(): DeadLetterCounters {
    return this.#counters;
  }

  /** No letter of a number up to this one is left. */
  get droppedThrough(): number {
    return this.#droppedThrough;
  }

  /** @param keyOf the users' keys as they are at this place of the group */
  keep(letters: readonly NewDeadLetter[], at: EpochMs, keyOf: (user: UserId) => PayloadKey | undefined): void {
    const { next, journalOffset: newest } = this.#counters;
    const fresh = letters.filter(({ journalOffset }) => journalOffset === undefined || journalOffset > newest);
    if (fresh.length === 0) return;
    const owners = fresh.map(({ user }) => (user === undefined ? undefined : keyOf(user)));
    const sealed = this.cipher.seal(
      owners.map((owner) => owner?.key ?? this.keys.systemKey),
      fresh.map((_, i) => FIRST_NONCE + next + i),
      fresh.map((letter) => plainOf(letter, at)),
    );
    sealed.forEach((bytes, i) => {
      const tag = this.#tagOf(fresh[i]?.user);
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeDoubleLE(owners[i]?.ref ?? SYSTEM_REF);
      tag.copy(head, 8);
      this.#added.set(next + i, { tag, value: Buffer.concat([head, bytes]) });
    });
    const journalOffset = fresh.reduce((most, letter) => Math.max(most, letter.journalOffset ?? 0), newest);
    this.#counters = { ...this.#counters, next: next + fresh.length, journalOffset };
    this.#changed = true;
  }

  /** Removes letters; numbers that are not kept (any more) count for nothing. */
  async remove(numbers: readonly number[]): Promise<void> {
    const stored = await this.store.getMany(numbers.map((number) => numberKey("d", number)));
    numbers.forEach((number, i) => {
      if (stored[i] !== undefined) this.#take(number);
    });
  }

  /** Deletes every letter known to be about an erased user, of the store and of the group so far. */
  async forget(user: UserId): Promise<void> {
    const wanted = this.#tagOf(user);
    for await (const [key, value] of this.store.iterate(allOf("d")))
      if (wanted.compare(value, 8, HEAD_BYTES) === 0) this.#take(numberOf(key));
    for (const [number, { tag }] of this.#added) if (tag.equals(wanted)) this.#added.delete(number);
  }

  /** What the group writes, once all of it is known; the oldest letters leave where there are more than the limit. */
  async writes(): Promise<StoreWrite[]> {
    if (!this.#changed) return [];
    const dropped = await this.#dropOldest();
    const kept = this.#counters.kept + this.#added.size - this.#removed.size;
    this.#counters = { ...this.#counters, kept, dropped: this.#counters.dropped + dropped };
    return [
      ...[...this.#added].map(([number, { value }]): StoreWrite => ({ type: "put", key: numberKey("d", number), value })),
      ...[...this.#removed].map((number): StoreWrite => ({ type: "del", key: numberKey("d", number) })),
      { type: "put", key: META.deadLetters, value: Buffer.from(JSON.stringify(this.#counters)) },
    ];
  }

  /** @returns how many */
  async #dropOldest(): Promise<number> {
    const excess = this.#counters.kept + this.#added.size - this.#removed.size - this.limit;
    if (excess <= 0) return 0;
    const oldest: number[] = [];
    const range = { gt: numberKey("d", this.#droppedThrough), lt: allOf("d").lt, limit: excess + this.#removed.size };
    for await (const [key] of this.store.iterate(range)) {
      if (oldest.length === excess) break;
      if (!this.#removed.has(numberOf(key))) oldest.push(numberOf(key));
    }
    for (const number of oldest) this.#take(number);
    for (const number of this.#added.keys()) {
      if (oldest.length === excess) break;
      this.#added.delete(number);
      oldest.push(number);
    }
    this.#droppedThrough = oldest[oldest.length - 1] ?? this.#droppedThrough;
    return oldest.length;
  }

  #take(number: number): void {
    this.#removed.add(number);
    this.#changed = true;
  }

  /** Finds a user's letters without opening them; says nothing to who has not the journal's key. */
  #tagOf(user: UserId | undefined): Buffer {
    return user === undefined ? NOBODY : createHmac("sha256", this.keys.systemKey).update(user).digest().subarray(0, 8);
  }
}

function plainOf({ code, message, origin, original, raw }: NewDeadLetter, at: EpochMs): Uint8Array {
  const plain: PlainLetter = {
    code,
    message,
    origin,
    at,
    original: originalText(original.subarray(0, MAX_ORIGINAL_BYTES)),
    ...(raw !== undefined && { raw }),
  };
  return Buffer.from(JSON.stringify(plain));
}
