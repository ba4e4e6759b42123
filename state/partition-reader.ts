import { WEIGHT_ONE } from "../schemas/catalogue.js";
import type { CatalogueNumber, Offset, Partition, UserId } from "../schemas/ids.js";
import type { ProfileDetails, UserHistory, VerifyReport } from "../schemas/ports/admin.js";
import type { KeyValueStore } from "../schemas/ports/key-value-store.js";
import type { PublishedRows } from "../schemas/ports/row-source.js";
import { FINGERPRINT_BITS } from "../schemas/row.js";
import { asActive } from "./as-active.js";
import { decodeChanges } from "./change-record.js";
import type { FoldContext } from "./fold-context.js";
import { changesFrom, META_AND_ROWS, rowKey, rowsAfter, userOfRowKey } from "./keys.js";
import { toPublishedRows } from "./published-rows.js";
import type { RowCache } from "./row-cache.js";
import { formatFingerprint } from "./simhash.js";
import { readStoredRow } from "./stored-row.js";
import type { UserRow } from "./user-row.js";
import { verifyRows } from "./verify-rows.js";

/** Most keywords of a kind that a profile shows. */
const SHOWN_KEYWORDS = 64;

interface ReaderParts {
  readonly store: KeyValueStore;
  readonly partition: Partition;
  /** Contexts that rows may be of, stored or in memory, oldest first; the last is active. What is stored may change while it is read. */
  readonly contexts: () => FoldContext[];
  readonly cache: RowCache;
}

/** The reading side of a partition. Rows that it reads from the store are copies of its own. */
export class PartitionReader {
  constructor(private readonly parts: ReaderParts) {}

  async profile(user: UserId): Promise<ProfileDetails | undefined> {
    const { store, cache } = this.parts;
    const known = cache.get(user);
    if (known !== undefined) return known.exists ? this.#details(known, this.parts.contexts()) : undefined;
    const before = this.parts.contexts();
    const bytes = await store.get(rowKey(user));
    if (bytes === undefined) return undefined;
    const contexts = this.#since(before);
    return this.#details(readStoredRow(user, bytes, contexts), contexts);
  }

  /** What the profiles of the users after `after` hold ("" = from the first), at most `limit` of them. */
  async histories(after: UserId | "", limit: number): Promise<UserHistory[]> {
    const before = this.parts.contexts();
    const histories: UserHistory[] = [];
    for await (const [key, value] of this.parts.store.iterate({ ...rowsAfter(after), limit })) {
      const contexts = this.#since(before);
      const { user, row, effective } = asActive(readStoredRow(userOfRowKey(key), value, contexts), contexts);
      const { items } = contexts.find(({ activation }) => activation === row.activation) as FoldContext;
      const entries = Array.from({ length: row.entryCount }, (_, i) => i);
      histories.push({
        user,
        items: entries.map((i) => items.id(row.entryItem(i))),
        weights: entries.map((i) => (effective[i] as number) / WEIGHT_ONE),
        times: entries.map((i) => row.entryTs(i)),
      });
    }
    return histories;
  }

  async verify(): Promise<VerifyReport> {
    return verifyRows(this.parts.store.iterate(META_AND_ROWS), this.parts.contexts(), `partition ${this.parts.partition}`);
  }

  async *scanRows(batchRows: number): AsyncGenerator<PublishedRows> {
    let batch: UserRow[] = [];
    const before = this.parts.contexts();
    for await (const [key, value] of this.parts.store.iterate(rowsAfter(""))) {
      const contexts = this.#since(before);
      batch.push(asActive(readStoredRow(userOfRowKey(key), value, contexts), contexts));
      if (batch.length < batchRows) continue;
      yield toPublishedRows(batch, this.#active());
      batch = [];
    }
    if (batch.length > 0) yield toPublishedRows(batch, this.#active());
  }

  async *changedSince(offset: Offset, batchRows: number): AsyncGenerator<PublishedRows> {
    const users = new Set<UserId>();
    for await (const [, value] of this.parts.store.iterate(changesFrom(offset))) for (const user of decodeChanges(value)) users.add(user);
    const ids = [...users];
    for (let from = 0; from < ids.length; from += batchRows) {
      const some = ids.slice(from, from + batchRows);
      const before = this.parts.contexts();
      const values = await this.parts.store.getMany(some.map(rowKey));
      const contexts = this.#since(before);
      const gone = some.filter((_, i) => values[i] === undefined);
      const rows = some.flatMap((user, i) =>
        values[i] === undefined ? [] : [asActive(readStoredRow(user, values[i] as Uint8Array, contexts), contexts)],
      );
      yield toPublishedRows(rows, this.#active(), gone);
    }
  }

  #active(): FoldContext | undefined {
    return this.parts.contexts().at(-1);
  }

  /** Those of before a read of the store and those of now: what was read is of one of them, whatever was committed meanwhile. */
  #since(before: readonly FoldContext[]): FoldContext[] {
    const now = this.parts.contexts();
    const first = now[0]?.activation ?? Number.POSITIVE_INFINITY;
    return [...before.filter(({ activation }) => activation < first), ...now];
  }

  #details(user: UserRow, contexts: readonly FoldContext[]): ProfileDetails {
    const row = user.row;
    const context = contexts.find(({ activation }) => activation === row.activation) as FoldContext;
    return {
      user: user.user,
      fingerprint: row.hasFingerprint ? formatFingerprint(row.fingerprintHi, row.fingerprintLo) : null,
      events: row.events,
      updatedAt: row.updatedAt,
      partition: this.parts.partition,
      offset: row.offset as Offset,
      catalogue: row.catalogue as CatalogueNumber,
      totalWeight: row.totalWeight / WEIGHT_ONE,
      items: Array.from({ length: row.entryCount }, (_, i) => ({
        item: context.items.id(row.entryItem(i)),
        weight: (user.effective[i] as number) / WEIGHT_ONE,
        ts: row.entryTs(i),
      })),
      keywords: context.keywords.keywords(user, SHOWN_KEYWORDS).map(({ keyword, weight }) => ({ keyword, weight: weight / WEIGHT_ONE })),
      accumulators: Array.from(row.f64.subarray(row.accumulatorsAt, row.accumulatorsAt + FINGERPRINT_BITS)),
    };
  }
}
