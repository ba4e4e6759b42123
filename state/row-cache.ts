import { LRUCache } from "lru-cache";
import type { UserId } from "../schemas/ids.js";
import type { UserRow } from "./user-row.js";

/**
 * Rows in memory. Those of batches that are not yet written are pinned, since the store does not know them; the others
 * equal the store and leave when room is needed. At most `maxRows` plus the rows of the pending batches.
 */
export class RowCache {
  readonly #pinned = new Map<UserId, { readonly row: UserRow; readonly commit: number }>();
  readonly #clean: LRUCache<UserId, UserRow>;

  constructor(maxRows: number) {
    this.#clean = new LRUCache({ max: Math.max(1, maxRows) });
  }

  get size(): number {
    return this.#pinned.size + this.#clean.size;
  }

  get(user: UserId): UserRow | undefined {
    // The order of use is kept for pinned rows too: they are to be the last to leave once they are written.
    const clean = this.#clean.get(user);
    return clean ?? this.#pinned.get(user)?.row;
  }

  /** The row was changed by this commit, still to be written. */
  pin(row: UserRow, commit: number): void {
    this.#pinned.set(row.user, { row, commit });
  }

  /** This commit was written: its rows that no later one changed may leave. */
  unpin(rows: readonly UserRow[], commit: number): void {
    for (const row of rows) {
      if (this.#pinned.get(row.user)?.commit !== commit) continue;
      this.#pinned.delete(row.user);
      if (!row.exists) this.#clean.delete(row.user);
      else if (!this.#clean.has(row.user)) this.#clean.set(row.user, row);
    }
  }

  pinned(): UserRow[] {
    return Array.from(this.#pinned.values(), ({ row }) => row);
  }
}
