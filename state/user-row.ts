import type { ItemId, UserId } from "../schemas/ids.js";
import { MAX_PROFILE_ITEMS, type Row } from "../schemas/row.js";
import type { Decay } from "./decay.js";
import type { ItemTable } from "./item-table.js";
import { rowKey } from "./keys.js";

/**
 * A row in memory, and beside it what its profile counts now: the effective weight of each entry at the row's
 * landmark. Entries always lie strongest |effective weight| first, ties by item id: the order is a function of the
 * content, the weakest is at the end, and publishing needs no sort.
 */
export class UserRow {
  effective: Int32Array;
  /** The accumulators, sums and total weight are to be computed anew from the profile. */
  stale = false;
  /** Whether the row's hash is part of its partition's sum. */
  summed = false;
  /** Whether the user was ever erased, so that the store has a tombstone. */
  tombstone = false;
  /** The four blocks of the fingerprint as the store's band keys have them, lowest first; -1 = none. */
  readonly bands = [-1, -1, -1, -1];
  /** The commit that touched the row last, so that a batch lists it once. */
  touchedBy = 0;
  /** The row's key in the store. */
  readonly key: Buffer;

  constructor(
    readonly user: UserId,
    public row: Row,
  ) {
    this.key = rowKey(user);
    this.effective = new Int32Array(Math.max(16, row.entryCount));
  }

  /** A row as it was read from the store. */
  static stored(user: UserId, row: Row): UserRow {
    const stored = new UserRow(user, row);
    stored.summed = true;
    stored.tombstone = row.erasureEpoch > 0;
    stored.#storedAs(row);
    return stored;
  }

  /** A row that takes the place of what the store has. */
  static replacing(user: UserId, row: Row, before: Row | undefined): UserRow {
    const next = new UserRow(user, row);
    if (before !== undefined) next.#storedAs(before);
    return next;
  }

  /** The store's band keys are those of this row. */
  #storedAs(row: Row): void {
    if (!row.hasFingerprint) return;
    this.bands.splice(0, 4, row.fingerprintLo & 0xffff, row.fingerprintLo >>> 16, row.fingerprintHi & 0xffff, row.fingerprintHi >>> 16);
  }

  /** False for a new user, and for an erased one who did nothing since. */
  get exists(): boolean {
    return this.row.events > 0;
  }

  /** Computes all effective weights at the row's landmark. */
  refresh(decay: Decay): void {
    const row = this.row;
    const count = row.entryCount;
    if (count > this.effective.length) this.effective = new Int32Array(count);
    for (let i = 0; i < count; i++)
      this.effective[i] = decay.weightAfter(row.entryWeight(i), row.landmark - decay.landmark(row.entryTs(i)));
  }

  /** Restores the order after `refresh`: by insertion, since landmarks hardly change the order. */
  sort(items: ItemTable): void {
    for (let i = 1; i < this.row.entryCount; i++) {
      const effective = this.effective[i] as number;
      const id = items.id(this.row.entryItem(i));
      let to = i;
      while (to > 0 && this.#precedes(effective, id, to - 1, items)) to--;
      this.#move(i, to);
    }
  }

  /** Gives an entry a new weight and its place in the order. */
  update(at: number, weight: number, ts: number, effective: number, items: ItemTable): void {
    const row = this.row;
    const item = row.entryItem(at);
    row.setEntry(at, item, weight, ts);
    this.effective[at] = effective;
    const id = items.id(item);
    if (at > 0 && this.#precedes(effective, id, at - 1, items)) this.#move(at, this.#place(effective, id, 0, at - 1, items));
    else if (at + 1 < row.entryCount && !this.#precedes(effective, id, at + 1, items))
      this.#move(at, this.#place(effective, id, at + 1, row.entryCount, items) - 1);
  }

  insert(item: number, weight: number, ts: number, effective: number, items: ItemTable): void {
    const count = this.row.entryCount;
    const at = this.#place(effective, items.id(item), 0, count, items);
    this.row.insertEntry(at, item, weight, ts);
    if (count === this.effective.length) {
      const grown = new Int32Array(Math.min(MAX_PROFILE_ITEMS, 2 * count));
      grown.set(this.effective);
      this.effective = grown;
    }
    this.effective.copyWithin(at + 1, at, count);
    this.effective[at] = effective;
  }

  remove(at: number): void {
    this.row.removeEntry(at);
    this.effective.copyWithin(at, at + 1);
  }

  /** The entry that leaves a full profile: weakest |effective weight|, ties by older time, then by lower id. -1 in an empty one. */
  weakest(): number {
    const last = this.row.entryCount - 1;
    let found = last;
    const least = Math.abs(this.effective[last] as number);
    for (let i = last - 1; i >= 0 && Math.abs(this.effective[i] as number) === least; i--)
      if (this.row.entryTs(i) <= this.row.entryTs(found)) found = i;
    return found;
  }

  #precedes(effective: number, id: ItemId, other: number, items: ItemTable): boolean {
    const difference = Math.abs(effective) - Math.abs(this.effective[other] as number);
    return difference !== 0 ? difference > 0 : id < items.id(this.row.entryItem(other));
  }

  /** The first place in [low, high) that the entry precedes, else high. */
  #place(effective: number, id: ItemId, from: number, to: number, items: ItemTable): number {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#precedes(effective, id, middle, items)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #move(from: number, to: number): void {
    if (from === to) return;
    this.row.moveEntry(from, to);
    const effective = this.effective[from] as number;
    if (from < to) this.effective.copyWithin(from, from + 1, to + 1);
    else this.effective.copyWithin(to + 1, to, from);
    this.effective[to] = effective;
  }
}
