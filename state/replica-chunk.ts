import type { UserId } from "../schemas/ids.js";
import type { ChangelogRecord } from "../schemas/ports/changelog.js";
import { type PositionRecord, readRecord } from "./changelog-records.js";
import type { Tombstone } from "./tombstone.js";

/** What an entry costs beside its bytes, about. */
const ENTRY_BYTES = 256;
/** Values grow by an item at a time: room for more, so that the next can lie where the last one did. */
const roomFor = (bytes: number): number => (bytes + (bytes >> 2) + 63) & ~63;
/** Rooms are cut out of blocks, and stay in them: one row that stays would keep all of a pool's slab, and nobody would count that. */
const BLOCK_BYTES = { first: 16 << 10, most: 1 << 20 } as const;

interface Kept {
  readonly room: Buffer;
  length: number;
}

/**
 * The newest record of each key among some that follow one another. What lies between two of a key nobody has to see. Values are copied: what they
 * were read from is free when `take` returns.
 */
export class ReplicaChunk {
  /** null: there is no row any more. */
  readonly #rows = new Map<UserId, Kept | null>();
  /** By the 32 hex digits of their key. */
  readonly tombstones = new Map<string, Tombstone>();
  #position: PositionRecord | undefined;
  #ended = false;
  #bytes = 0;
  #block = Buffer.alloc(0);
  #blockBytes: number = BLOCK_BYTES.first;

  /** @throws KindredError STATE_CORRUPT, DIRECTORY_NEWER */
  take(record: ChangelogRecord, where: string): void {
    const read = readRecord(record, where);
    if (read === undefined) return;
    this.#ended = read.kind === "position";
    if (read.kind === "row") this.#take(read.user, read.value);
    else if (read.kind === "position") this.#position = read.position;
    else {
      if (!this.tombstones.has(read.name)) this.#bytes += ENTRY_BYTES;
      this.tombstones.set(read.name, read.erased);
    }
  }

  get empty(): boolean {
    return this.#rows.size === 0 && this.tombstones.size === 0 && this.#position === undefined;
  }

  /** Whether the newest record is a position. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Memory that it takes, about, with the rooms that rows have outgrown. */
  get bytes(): number {
    return this.#bytes;
  }

  /** In parts of at most so many rows (the tombstones are in the last one), to be written one after the other. */
  *parts(rows: number): Generator<ReplicaPart> {
    let part = new Map<UserId, Uint8Array | null>();
    for (const [user, kept] of this.#rows) {
      if (part.size === rows) {
        yield { rows: part, tombstones: NO_TOMBSTONES, position: undefined, ended: false, last: false };
        part = new Map();
      }
      part.set(user, kept === null ? null : kept.room.subarray(0, kept.length));
    }
    yield { rows: part, tombstones: this.tombstones, position: this.#position, ended: this.#ended, last: true };
  }

  #take(user: UserId, value: Uint8Array | null): void {
    const kept = this.#rows.get(user);
    if (value !== null && kept && kept.room.length >= value.length) {
      kept.room.set(value);
      kept.length = value.length;
      return;
    }
    if (kept === undefined) this.#bytes += ENTRY_BYTES;
    this.#rows.set(user, value && this.#keep(value));
  }

  #keep(value: Uint8Array): Kept {
    const bytes = roomFor(value.length);
    if (bytes > this.#block.length) {
      this.#block = Buffer.allocUnsafeSlow(Math.max(this.#blockBytes, bytes));
      this.#blockBytes = Math.min(2 * this.#blockBytes, BLOCK_BYTES.most);
    }
    const room = this.#block.subarray(0, bytes);
    this.#block = this.#block.subarray(bytes);
    this.#bytes += bytes;
    room.set(value);
    return { room, length: value.length };
  }
}

/** What is written at once. */
export interface ReplicaPart {
  readonly rows: ReadonlyMap<UserId, Uint8Array | null>;
  readonly tombstones: ReadonlyMap<string, Tombstone>;
  /** Of the newest commit that is all in the chunk. */
  readonly position: PositionRecord | undefined;
  /** Whether nothing of a later commit is in the chunk. */
  readonly ended: boolean;
  readonly last: boolean;
}

const NO_TOMBSTONES: ReadonlyMap<string, Tombstone> = new Map();
