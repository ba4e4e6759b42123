import type { UserId } from "../schemas/ids.js";
import type { ChangelogRecord } from "../schemas/ports/changelog.js";
import { type PositionRecord, readRecord } from "./changelog-records.js";
import type { Tombstone } from "./tombstone.js";

/** The newest record of each key among some that follow one another. What lies between two of a key nobody has to see. */
export class ReplicaChunk {
  /** null: there is no row any more. */
  readonly rows = new Map<UserId, Uint8Array | null>();
  /** By the 32 hex digits of their key. */
  readonly tombstones = new Map<string, Tombstone>();
  #position: PositionRecord | undefined;
  #ended = false;

  /** @throws KindredError STATE_CORRUPT, DIRECTORY_NEWER */
  take(record: ChangelogRecord, where: string): void {
    const read = readRecord(record, where);
    if (read === undefined) return;
    this.#ended = read.kind === "position";
    if (read.kind === "row") this.rows.set(read.user, read.value);
    else if (read.kind === "erased") this.tombstones.set(read.name, read.erased);
    else this.#position = read.position;
  }

  get empty(): boolean {
    return this.rows.size === 0 && this.tombstones.size === 0 && this.#position === undefined;
  }

  /** Of the newest commit that is all in it. */
  get position(): PositionRecord | undefined {
    return this.#position;
  }

  /** Whether nothing of a later commit is in it. */
  get ended(): boolean {
    return this.#ended;
  }
}
