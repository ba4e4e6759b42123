import { KindredError } from "../schemas/errors.js";
import type { UserId } from "../schemas/ids.js";
import type { PositionedRecord } from "../schemas/log-record.js";
import type { KeyValueStore } from "../schemas/ports/key-value-store.js";
import type { FoldContext, MakeContext } from "./fold-context.js";
import type { FoldTip, PreparedBatch } from "./fold-records.js";
import { rowKey, rowsAfter, tombstoneKey, userOfRowKey } from "./keys.js";
import type { RowCache } from "./row-cache.js";
import { readStoredRow } from "./stored-row.js";
import { decodeTombstone } from "./tombstone.js";
import type { UserRow } from "./user-row.js";

interface PreparerParts {
  readonly store: KeyValueStore;
  readonly tip: FoldTip;
  readonly cache: RowCache;
  readonly makeContext: MakeContext;
  readonly migrateRows: number;
}

/** Fetches what a micro-batch needs. All that may fail or wait is here; nothing of the state changes. */
export class BatchPreparer {
  constructor(private readonly parts: PreparerParts) {}

  async prepare(all: readonly PositionedRecord[], endOffset: number): Promise<PreparedBatch> {
    const { tip, cache } = this.parts;
    const records =
      all.length > 0 && (all[0] as PositionedRecord).offset > tip.offset ? all : all.filter(({ offset }) => offset > tip.offset);
    const activations = await this.#activations(records);
    const users = new Map<UserId, UserRow>();
    const tombstones = await this.#fetch(records, users);
    const migration = tip.migratedTo === null ? undefined : await this.#migration(tip.migratedTo, users);
    return {
      records,
      endOffset,
      skipped: all.length - records.length,
      users,
      tombstones,
      activations,
      migration,
      pinned: activations.length > 0 ? cache.pinned() : [],
    };
  }

  async #activations(records: readonly PositionedRecord[]): Promise<(FoldContext | undefined)[]> {
    const { tip, makeContext } = this.parts;
    let active = tip.contexts.at(-1);
    const activations: (FoldContext | undefined)[] = [];
    for (const { offset, record } of records) {
      if (record.kind === "activate") {
        const same = active?.catalogue.number === record.catalogue;
        const next = same ? undefined : await makeContext(record.catalogue, (active?.activation ?? 0) + 1);
        activations.push(next);
        active = next ?? active;
      } else if (active === undefined) {
        throw new KindredError("UNKNOWN_CATALOGUE", "the log has a record before its first activation of a catalogue", `offset ${offset}`);
      }
    }
    return activations;
  }

  /** Fills `users` with the rows that exist; gives the tombstones of those that do not. */
  async #fetch(records: readonly PositionedRecord[], users: Map<UserId, UserRow>): Promise<PreparedBatch["tombstones"]> {
    const { store, tip, cache } = this.parts;
    const missing = new Set<UserId>();
    for (const { record } of records) {
      if (record.kind === "activate") continue;
      const id = record.kind === "event" ? record.event.user : record.user;
      if (users.has(id) || missing.has(id)) continue;
      const cached = cache.get(id);
      if (cached !== undefined) users.set(id, cached);
      else missing.add(id);
    }
    if (missing.size === 0) return new Map();
    const ids = [...missing];
    const values = await store.getMany(ids.map(rowKey));
    const unknown: UserId[] = [];
    ids.forEach((id, i) => {
      const value = values[i];
      if (value === undefined) unknown.push(id);
      else users.set(id, readStoredRow(id, value, tip.contexts));
    });
    if (tip.tombstones === 0 || unknown.length === 0) return new Map();
    const found = await store.getMany(unknown.map(tombstoneKey));
    return new Map(unknown.flatMap((id, i) => (found[i] === undefined ? [] : [[id, decodeTombstone(found[i] as Uint8Array)] as const])));
  }

  /** The next rows in the order of the store. A row in memory is newer than the stored one; one in a pending batch was migrated at the activation. */
  async #migration(after: string, users: Map<UserId, UserRow>): Promise<PreparedBatch["migration"]> {
    const { store, tip, cache, migrateRows } = this.parts;
    const chunk: UserRow[] = [];
    let to: string | null = null;
    let seen = 0;
    const stored = store.iterate({ ...rowsAfter(after), limit: migrateRows });
    const memory = new Map(cache.pinned().map((row) => [row.user, row]));
    for await (const [key, value] of stored) {
      const user = userOfRowKey(key);
      const row = users.get(user) ?? memory.get(user) ?? cache.get(user) ?? readStoredRow(user, value, tip.contexts);
      users.set(user, row);
      chunk.push(row);
      to = user;
      seen += 1;
    }
    return { users: chunk, to: seen < migrateRows ? null : to };
  }
}
