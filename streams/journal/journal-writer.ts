import type { EpochMs, Offset, UserId } from "../../schemas/ids.js";
import type { LogRecord } from "../../schemas/log-record.js";
import type { PayloadCipher, SourceRecord } from "../../schemas/ports/event-log.js";
import type { KeyValueStore, StoreWrite } from "../../schemas/ports/key-value-store.js";
import type { NewDeadLetter } from "../new-dead-letter.js";
import { type BlockRecord, encodeBlock, inBlocks } from "./block.js";
import type { DeadLetterStore } from "./dead-letter-store.js";
import { META, numberKey, numberValue } from "./journal-keys.js";
import { type PayloadKey, PayloadKeys, SYSTEM_REF } from "./payload-keys.js";

/** What one caller wants to be written, all or nothing. */
export interface Submission {
  readonly records: readonly LogRecord[];
  /** `records` encoded, in order. */
  readonly payloads: readonly Uint8Array[];
  readonly bytes: number;
  readonly letters?: readonly NewDeadLetter[];
  /** Numbers of dead letters that these records replace. */
  readonly replacedLetters?: readonly number[];
  readonly writes?: readonly StoreWrite[];
  /** Offset of the last record, once written. */
  endOffset: Offset;
  /** Users whose key an erasure in it dropped. */
  readonly dropped: { readonly user: UserId; readonly key: PayloadKey }[];
}

/** What one group put into the log. */
export interface Committed {
  readonly endOffset: Offset;
  readonly records: readonly SourceRecord[];
  /** The group erased someone: some of `records` may be unreadable now. */
  readonly erased: boolean;
}

/**
 * Turns a group of submissions into ONE synced batch: blocks of sealed records, new and dropped payload keys, dead letters,
 * cursors of files, activations by offset, the end offset. Called for one group at a time.
 */
export class JournalWriter {
  constructor(
    readonly store: KeyValueStore,
    readonly cipher: PayloadCipher,
    readonly keys: PayloadKeys,
    readonly deadLetters: DeadLetterStore,
    readonly now: () => EpochMs,
  ) {}

  async write(group: readonly Submission[], endOffset: Offset): Promise<Committed> {
    const acceptedAt = this.now();
    const keys = new GroupKeys(this.cipher, await this.keys.ofUsers(usersOf(group)));
    const letters = this.deadLetters.batch();
    const sealing: { keys: Uint8Array[]; refs: number[]; offsets: number[]; payloads: Uint8Array[] } = {
      keys: [],
      refs: [],
      offsets: [],
      payloads: [],
    };
    const writes: StoreWrite[] = [];
    // Of the same key the last holds: a file's cursor comes once a group, however small its appends are.
    const extra = new Map<string, StoreWrite>();
    let offset = endOffset as number;
    for (const submission of group) {
      for (let i = 0; i < submission.records.length; i++) {
        const record = submission.records[i] as LogRecord;
        offset++;
        const key = record.kind === "event" ? keys.forRecord(record.event.user, offset) : undefined;
        sealing.keys.push(key?.key ?? this.keys.systemKey);
        sealing.refs.push(key?.ref ?? SYSTEM_REF);
        sealing.offsets.push(offset);
        sealing.payloads.push(submission.payloads[i] as Uint8Array);
        if (record.kind === "activate") writes.push({ type: "put", key: numberKey("a", offset), value: numberValue(record.catalogue) });
        if (record.kind !== "erase") continue;
        const dropped = keys.drop(record.user);
        if (dropped !== undefined) submission.dropped.push({ user: record.user, key: dropped });
        await letters.forget(record.user);
      }
      submission.endOffset = offset as Offset;
      for (const write of submission.writes ?? []) extra.set(Buffer.from(write.key).toString("latin1"), write);
      if (submission.replacedLetters !== undefined) await letters.remove(submission.replacedLetters);
      if (submission.letters !== undefined) letters.keep(submission.letters, acceptedAt, (user) => keys.of(user));
    }
    const sealed = this.cipher.seal(sealing.keys, sealing.offsets, sealing.payloads);
    const records = sealed.map((bytes, i): BlockRecord => ({ keyRef: sealing.refs[i] as number, acceptedAt, sealed: bytes }));
    let first = endOffset + 1;
    for (const block of inBlocks(records)) {
      writes.push({ type: "put", key: numberKey("r", first), value: encodeBlock(block) });
      first += block.length;
    }
    for (const write of keys.writes()) writes.push(write);
    for (const write of await letters.writes()) writes.push(write);
    writes.push(...extra.values(), { type: "put", key: META.end, value: numberValue(offset) });
    await this.store.batch(writes, { sync: true });
    keys.confirm(this.keys);
    this.deadLetters.commit(letters);
    return {
      endOffset: offset as Offset,
      records: sealing.payloads.map((bytes, i) => ({ offset: sealing.offsets[i] as Offset, bytes, acceptedAt })),
      erased: keys.hasDropped,
    };
  }
}

function usersOf(group: readonly Submission[]): Set<UserId> {
  const users = new Set<UserId>();
  for (const { records, letters } of group) {
    for (const record of records) {
      if (record.kind === "event") users.add(record.event.user);
      else if (record.kind === "erase") users.add(record.user);
    }
    for (const { user } of letters ?? []) if (user !== undefined) users.add(user);
  }
  return users;
}

/** The payload keys as they are at each record of a group; known outside only once the group is durable. */
class GroupKeys {
  readonly #cipher: PayloadCipher;
  readonly #current: Map<UserId, PayloadKey>;
  readonly #steps: { readonly add: boolean; readonly user: UserId; readonly key: PayloadKey }[] = [];

  constructor(cipher: PayloadCipher, stored: Map<UserId, PayloadKey>) {
    this.#cipher = cipher;
    this.#current = stored;
  }

  get hasDropped(): boolean {
    return this.#steps.some(({ add }) => !add);
  }

  of(user: UserId): PayloadKey | undefined {
    return this.#current.get(user);
  }

  /** The user's key, made new with this record where there is none. */
  forRecord(user: UserId, offset: number): PayloadKey {
    const known = this.#current.get(user);
    if (known !== undefined) return known;
    const key = { ref: offset, key: this.#cipher.newKey() };
    this.#current.set(user, key);
    this.#steps.push({ add: true, user, key });
    return key;
  }

  drop(user: UserId): PayloadKey | undefined {
    const key = this.#current.get(user);
    if (key === undefined) return undefined;
    this.#current.delete(user);
    this.#steps.push({ add: false, user, key });
    return key;
  }

  /** In order: a key that was added and dropped in the same group ends deleted. */
  writes(): StoreWrite[] {
    return this.#steps.flatMap(({ add, user, key }) => (add ? PayloadKeys.writesToAdd(user, key) : PayloadKeys.writesToDrop(user, key)));
  }

  confirm(keys: PayloadKeys): void {
    for (const { add, user, key } of this.#steps) {
      if (add) keys.added(user, key);
      else keys.dropped(user, key);
    }
  }
}
