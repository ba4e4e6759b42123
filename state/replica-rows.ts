import type { UserId } from "../schemas/ids.js";
import type { KeyValueStore, StoreWrite } from "../schemas/ports/key-value-store.js";
import { Row } from "../schemas/row.js";
import { finish } from "./derived-fields.js";
import type { FoldContext } from "./fold-context.js";
import type { ItemFinder } from "./item-finder.js";
import { rowKey, tombstoneKeyOf } from "./keys.js";
import type { ReplicaPart } from "./replica-chunk.js";
import { readRowHead, readRowRecord } from "./row-record.js";
import { writeRow } from "./row-writes.js";
import { HashSum, RowHasher } from "./state-hash.js";
import { encodeTombstone } from "./tombstone.js";
import { UserRow } from "./user-row.js";
import type { WriteArena } from "./write-arena.js";

/** What the store has under the keys of a part, in its order. */
export interface StoredBefore {
  readonly rows: readonly (Uint8Array | undefined)[];
  readonly tombstones: readonly (Uint8Array | undefined)[];
}

export async function readBefore(store: KeyValueStore, part: ReplicaPart): Promise<StoredBefore> {
  const rows = await store.getMany([...part.rows.keys()].map(rowKey));
  return { rows, tombstones: await store.getMany([...part.tombstones.keys()].map(tombstoneKeyOf)) };
}

/** The rows that a part makes, what is to be written for them, and what the store's rows add up to then. */
export class ReplicaRows {
  readonly users: UserRow[] = [];
  /** Users whose row went, and those who were erased and are back with another. */
  readonly erased: UserId[] = [];
  readonly writes: StoreWrite[] = [];
  readonly #hash: HashSum;
  readonly #hasher = new RowHasher();

  constructor(
    counted: { readonly hash: string; readonly rows: number; readonly tombstones: number },
    private readonly items: ItemFinder,
    private readonly arena: WriteArena,
    private readonly bands: boolean,
  ) {
    this.#hash = HashSum.parse(counted.hash);
    this.rows = counted.rows;
    this.tombstones = counted.tombstones;
  }

  rows: number;
  tombstones: number;

  get hash(): string {
    return this.#hash.toString();
  }

  /** @param contexts of the part's rows at least, by activation. @throws KindredError STATE_CORRUPT, DIRECTORY_NEWER */
  make(part: ReplicaPart, before: StoredBefore, contexts: ReadonlyMap<number, FoldContext>): void {
    let at = 0;
    for (const [user, value] of part.rows) {
      const bytes = before.rows[at++];
      const old = bytes === undefined ? undefined : Row.decode(bytes, `user ${user}`);
      if (old !== undefined) {
        this.#hash.subtract(old.u32, old.hashWord);
        this.rows -= 1;
      }
      if (value === null) this.#drop(user, old);
      else this.#put(user, value, old, contexts.get(readRowHead(value, `user ${user}`).activation) as FoldContext);
    }
    at = 0;
    for (const [name, tombstone] of part.tombstones) {
      if (before.tombstones[at++] === undefined) this.tombstones += 1;
      this.writes.push({ type: "put", key: tombstoneKeyOf(name), value: encodeTombstone(tombstone) });
    }
  }

  #drop(user: UserId, old: Row | undefined): void {
    this.erased.push(user);
    if (old !== undefined) writeRow(UserRow.replacing(user, Row.create(old.layout), old), this.writes, this.arena, this.bands);
  }

  #put(id: UserId, value: Uint8Array, old: Row | undefined, context: FoldContext): void {
    const user = UserRow.replacing(id, readRowRecord(value, context, this.items, `user ${id}`), old);
    const { row } = user;
    user.refresh(context.decay);
    user.stale = true;
    finish(user, context);
    this.#hasher.hashInto(user, context.items, row.u32, row.hashWord);
    this.#hash.add(row.u32, row.hashWord);
    this.rows += 1;
    if (old !== undefined && old.erasureEpoch < row.erasureEpoch) this.erased.push(id);
    this.users.push(user);
    writeRow(user, this.writes, this.arena, this.bands);
  }
}
