import { KindredError } from "../schemas/errors.js";
import type { EpochMs, UserId } from "../schemas/ids.js";
import type { PositionedRecord } from "../schemas/log-record.js";
import type { StoreWrite } from "../schemas/ports/key-value-store.js";
import { encodeChanges } from "./change-record.js";
import { finish } from "./derived-fields.js";
import { blankRow, eraseUser, foldEvent, migrateRow } from "./fold.js";
import type { FoldContext } from "./fold-context.js";
import { changeKey, tombstoneKey } from "./keys.js";
import { writeItems, writeRow } from "./row-writes.js";
import { type HashSum, RowHasher } from "./state-hash.js";
import { encodeTombstone, type Tombstone } from "./tombstone.js";
import { UserRow } from "./user-row.js";
import type { WriteArena } from "./write-arena.js";

/** What a partition knows as of its newest fold, written or not. */
export interface FoldTip {
  offset: number;
  eventTime: EpochMs;
  /** Contexts that rows may be of, oldest first; the last is active. */
  contexts: FoldContext[];
  migratedTo: string | null;
  hash: HashSum;
  rows: number;
  tombstones: number;
  /** Items that the store knows or will by the pending commits. */
  items: number;
  commit: number;
}

/** Rows and contexts that a micro-batch needs, fetched before: from here on nothing waits and nothing may fail. */
export interface PreparedBatch {
  readonly records: readonly PositionedRecord[];
  readonly endOffset: number;
  readonly skipped: number;
  readonly users: Map<UserId, UserRow>;
  /** Tombstones of users without a row. */
  readonly tombstones: ReadonlyMap<UserId, Tombstone>;
  /** Contexts of the batch's activations in order; undefined where the record changes nothing. */
  readonly activations: readonly (FoldContext | undefined)[];
  /** Rows that background migration looks at, and where it stands after them (null = at the end). */
  readonly migration: { readonly users: readonly UserRow[]; readonly to: string | null } | undefined;
  /** Rows of folds not yet written: an iteration of the store may not see them. */
  readonly pinned: readonly UserRow[];
}

/** What is folded and not sealed yet. */
interface OpenFold {
  readonly touched: UserRow[];
  readonly erasedUsers: Set<UserId>;
  readonly counts: { folded: number; duplicate: number; erased: number; skipped: number };
  records: number;
}

export interface FoldResult {
  readonly touched: readonly UserRow[];
  /** Users erased by this batch, also those who acted again after it. */
  readonly erasedUsers: ReadonlySet<UserId>;
  readonly writes: StoreWrite[];
  readonly folded: number;
  readonly duplicates: number;
  readonly erased: number;
  readonly skipped: number;
}

export interface RecordFolderOptions {
  /** Whether the store has the bands of fingerprints. */
  readonly bands: boolean;
  /** Whether the store has who changed with each commit. */
  readonly changes: boolean;
}

/** Folds prepared micro-batches into rows and writes. Synchronous: between two calls every row is whole. */
export class RecordFolder {
  readonly #hasher = new RowHasher();
  #open: OpenFold | undefined;

  constructor(
    readonly tip: FoldTip,
    private readonly options: RecordFolderOptions,
  ) {}

  /** Rows that changed and records that were folded since the last seal. */
  get open(): { readonly rows: number; readonly records: number } {
    return { rows: this.#open?.touched.length ?? 0, records: this.#open?.records ?? 0 };
  }

  /** Folds into what is open. @returns the rows that this changed first since the last seal */
  add(batch: PreparedBatch): readonly UserRow[] {
    const tip = this.tip;
    if (this.#open === undefined) tip.commit += 1;
    this.#open ??= { touched: [], erasedUsers: new Set(), counts: { folded: 0, duplicate: 0, erased: 0, skipped: 0 }, records: 0 };
    const { touched, erasedUsers, counts } = this.#open;
    const before = touched.length;
    counts.skipped += batch.skipped;
    this.#open.records += batch.records.length;
    const touch = (user: UserRow): void => {
      if (user.touchedBy === tip.commit) return;
      user.touchedBy = tip.commit;
      touched.push(user);
    };
    if (batch.migration !== undefined) this.#migrate(batch.migration, touch);
    let activation = 0;
    for (const { offset, record } of batch.records) {
      if (record.kind === "event") {
        const user = this.#user(record.event.user, batch, touch);
        const outcome = foldEvent(user, record.event, offset, this.#active());
        counts[outcome] += 1;
        if (outcome !== "folded") continue;
        touch(user);
        if (record.event.ts > tip.eventTime) tip.eventTime = record.event.ts;
      } else if (record.kind === "erase") {
        const user = this.#user(record.user, batch, touch);
        this.#erase(user, record.at);
        erasedUsers.add(user.user);
        touch(user);
      } else {
        const context = batch.activations[activation++];
        if (context !== undefined) this.#activate(context, batch, touch);
      }
    }
    tip.offset = Math.max(tip.offset, batch.endOffset);
    return touched.slice(before);
  }

  /** Brings everything that changed since the last seal up to date, once a row; what is to be written of it lies in `arena`. */
  seal(arena: WriteArena): FoldResult {
    if (this.#open === undefined) throw new KindredError("INTERNAL", "nothing is open to be sealed");
    const { touched, erasedUsers, counts } = this.#open;
    this.#open = undefined;
    for (const user of touched) if (user.exists) this.#finish(user);
    return {
      touched,
      erasedUsers,
      writes: this.#writes(touched, arena),
      folded: counts.folded,
      duplicates: counts.duplicate,
      erased: counts.erased,
      skipped: counts.skipped,
    };
  }

  #active(): FoldContext {
    return this.tip.contexts[this.tip.contexts.length - 1] as FoldContext;
  }

  /** The user's row, of the active activation. */
  #user(id: UserId, batch: PreparedBatch, touch: (user: UserRow) => void): UserRow {
    const known = batch.users.get(id);
    if (known !== undefined) {
      // Written even if its event turns out a duplicate: migration passes over rows that look migrated in memory.
      if (this.#bringUp(known) && known.exists) touch(known);
      return known;
    }
    const tombstone = batch.tombstones.get(id);
    const user = new UserRow(id, blankRow(this.#active(), tombstone?.epoch ?? 0, tombstone?.erasedAt ?? 0));
    user.tombstone = tombstone !== undefined;
    batch.users.set(id, user);
    return user;
  }

  /** Gives a row each activation that it has not seen, in turn; false where there is none. */
  #bringUp(user: UserRow): boolean {
    const { contexts } = this.tip;
    if (user.row.activation === (contexts[contexts.length - 1] as FoldContext).activation) return false;
    for (const context of contexts) if (context.activation > user.row.activation) migrateRow(user, context);
    return true;
  }

  #erase(user: UserRow, at: EpochMs): void {
    if (user.summed) {
      this.tip.hash.subtract(user.row.u32, user.row.hashWord);
      this.tip.rows -= 1;
      user.summed = false;
    }
    if (!user.tombstone) this.tip.tombstones += 1;
    user.tombstone = true;
    eraseUser(user, at, this.#active());
  }

  #activate(context: FoldContext, batch: PreparedBatch, touch: (user: UserRow) => void): void {
    const tip = this.tip;
    const first = tip.contexts.length === 0;
    tip.contexts.push(context);
    if (first) return;
    tip.migratedTo = "";
    for (const user of batch.pinned) if (user.exists) touch(user);
  }

  #migrate({ users, to }: NonNullable<PreparedBatch["migration"]>, touch: (user: UserRow) => void): void {
    const active = this.#active();
    for (const user of users) {
      if (user.row.activation >= active.activation || !user.exists) continue;
      this.#bringUp(user);
      touch(user);
    }
    this.tip.migratedTo = to;
    if (to === null) this.tip.contexts = [active];
  }

  #finish(user: UserRow): void {
    const { tip } = this;
    const { row } = user;
    if (user.summed) tip.hash.subtract(row.u32, row.hashWord);
    else tip.rows += 1;
    this.#bringUp(user);
    finish(user, this.#active());
    this.#hasher.hashInto(user, this.#active().items, user.row.u32, user.row.hashWord);
    tip.hash.add(user.row.u32, user.row.hashWord);
    user.summed = true;
  }

  #writes(rows: readonly UserRow[], arena: WriteArena): StoreWrite[] {
    const writes: StoreWrite[] = [];
    for (const user of rows) {
      writeRow(user, writes, arena, this.options.bands);
      if (!user.tombstone) continue;
      const { erasureEpoch: epoch, erasedAt } = user.row;
      writes.push({ type: "put", key: tombstoneKey(user.user), value: encodeTombstone({ epoch, erasedAt }) });
    }
    const { tip } = this;
    if (tip.contexts.length > 0) {
      const { items } = this.#active();
      writeItems(items, tip.items, writes);
      tip.items = items.size;
    }
    if (rows.length > 0 && this.options.changes)
      writes.push({
        type: "put",
        key: changeKey(tip.offset, tip.commit),
        value: encodeChanges(rows.map((row) => row.user)),
      });
    return writes;
  }
}
