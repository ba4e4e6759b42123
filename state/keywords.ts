import { type Catalogue, type CatalogueItem, type FoldSettings, type KeywordKind, WEIGHT_ONE } from "../schemas/catalogue.js";
import type { ItemId } from "../schemas/ids.js";
import { FINGERPRINT_BITS } from "../schemas/row.js";
import type { ItemTable } from "./item-table.js";
import { KeywordTable, TAG_WEIGHT_ONE } from "./keyword-table.js";
import { OrdinalCache } from "./ordinal-cache.js";
import { addKeyword } from "./simhash.js";
import type { UserRow } from "./user-row.js";

const KINDS: readonly KeywordKind[] = ["tags", "creators", "items"];
const SIGN_CACHE_BYTES = 8 << 20;

/** A kind in use; `top` = 0 counts all of a user's keywords. */
interface UsedKind {
  readonly kind: KeywordKind;
  readonly weight: number;
  readonly top: number;
}

/** A keyword of a user and what it adds to the accumulators, times WEIGHT_ONE. */
export interface KeywordTotal {
  readonly kind: KeywordKind;
  readonly keyword: string;
  readonly weight: number;
}

/** Kinds of keywords, and whether all of them make up a fingerprint or only the first of which a user has any. */
export interface UsedKinds {
  readonly kinds: readonly UsedKind[];
  readonly together: boolean;
}

/**
 * The kinds that a catalogue's fingerprints are made of: as configured; else a user's tags, their creators if none of their items has a
 * tag, or their items if none has a creator either.
 */
export function usedKinds(settings: FoldSettings, items: ReadonlyMap<ItemId, CatalogueItem>): UsedKinds {
  const weights = settings.keywords.weights;
  const configured = KINDS.filter((kind) => weights[kind] !== undefined);
  const kinds = (configured.length > 0 ? configured : knownKinds(items))
    .map((kind) => ({ kind, weight: weights[kind] ?? WEIGHT_ONE, top: settings.keywords.top[kind] }))
    .filter((used) => used.weight !== 0);
  return { kinds, together: configured.length > 0 };
}

function knownKinds(items: ReadonlyMap<ItemId, CatalogueItem>): KeywordKind[] {
  let [tags, creators] = [false, false];
  for (const item of items.values()) {
    tags ||= (item.tags?.length ?? 0) > 0;
    creators ||= (item.creators?.length ?? 0) > 0;
    if (tags && creators) break;
  }
  return [...(tags ? ["tags" as const] : []), ...(creators ? ["creators" as const] : []), "items"];
}

/** What an effective weight adds for each of its item's keywords of a kind, cut towards zero. <= 2^27 x 2^6 */
const share = (effective: number, kindWeight: number): number =>
  kindWeight === WEIGHT_ONE ? effective : Math.trunc((effective * kindWeight) / WEIGHT_ONE) + 0;

/** Of an amount, what a tag of this weight has; cut towards zero. */
const weighted = (amount: number, weight: number): number => Math.trunc((amount * weight) / TAG_WEIGHT_ONE) + 0;

/**
 * Accumulators of one catalogue: the sum over a user's selected keywords of (total of the keyword over the profile) x (+1 or
 * -1 by hash bit). Where all keywords count this is linear in the profile, and an event changes it by its own difference;
 * with a top N it is computed anew from the profile. Both give the same integers.
 */
export class KeywordModel {
  readonly kinds: readonly UsedKind[];
  /** Whether `applyChange` keeps the accumulators right. */
  readonly linear: boolean;
  readonly #together: boolean;
  readonly #tables: readonly KeywordTable[];
  readonly #signs: readonly OrdinalCache<Int8Array>[];
  #totals = new Float64Array(256);
  #stamps = new Uint32Array(256);
  #stamp = 0;

  constructor(catalogue: Catalogue, items: ItemTable) {
    const { kinds, together } = usedKinds(catalogue.settings, catalogue.items);
    this.kinds = kinds;
    this.#together = together || kinds.length < 2;
    this.#tables = kinds.map(({ kind }) => new KeywordTable(kind, catalogue.items, items));
    this.linear = this.#together && kinds.every((_, k) => this.#isLinear(k));
    this.#signs = this.#tables.map(
      (table) =>
        new OrdinalCache<Int8Array>(
          (n) => new Int8Array(n),
          FINGERPRINT_BITS,
          SIGN_CACHE_BYTES,
          (ordinal, values, at) => fillSigns(table, ordinal, values, at),
        ),
    );
  }

  /** An item's effective weight in a profile changed from `before` to `after` (0 = not there). Only while `linear`. */
  applyChange(f64: Float64Array, at: number, ordinal: number, before: number, after: number): void {
    for (let k = 0; k < this.kinds.length; k++) this.#addLinear(k, f64, at, ordinal, before, after);
  }

  /** The accumulators from the profile alone, into f64[at .. at + 63], which are zero before. */
  accumulate(user: UserRow, f64: Float64Array, at: number): void {
    for (const [k, { top }] of this.kinds.entries()) {
      if (this.#together && this.#isLinear(k)) {
        for (let i = 0; i < user.row.entryCount; i++) this.#addLinear(k, f64, at, user.row.entryItem(i), 0, user.effective[i] as number);
        continue;
      }
      const table = this.#tables[k] as KeywordTable;
      const strongest = this.#strongest(k, user, top || Number.POSITIVE_INFINITY);
      for (const number of strongest)
        addKeyword(f64, at, table.hi[number] as number, table.lo[number] as number, this.#totals[number] as number);
      if (strongest.length > 0 && !this.#together) return;
    }
  }

  /** The keywords that make up the user's fingerprint, strongest first, at most `limit` of each kind. */
  keywords(user: UserRow, limit: number): KeywordTotal[] {
    const all: KeywordTotal[] = [];
    for (const [k, { kind, top }] of this.kinds.entries()) {
      const { labels } = this.#tables[k] as KeywordTable;
      for (const number of this.#strongest(k, user, top === 0 ? limit : Math.min(top, limit)))
        all.push({ kind, keyword: labels[number] as string, weight: this.#totals[number] as number });
      if (all.length > 0 && !this.#together) break;
    }
    return all.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight) || (a.keyword < b.keyword ? -1 : a.keyword > b.keyword ? 1 : 0));
  }

  #isLinear(k: number): boolean {
    return this.kinds[k]?.top === 0 && this.#tables[k]?.weights === undefined;
  }

  #addLinear(k: number, f64: Float64Array, at: number, ordinal: number, before: number, after: number): void {
    const weight = (this.kinds[k] as UsedKind).weight;
    const change = share(after, weight) - share(before, weight);
    if (change === 0) return;
    const cache = this.#signs[k] as OrdinalCache<Int8Array>;
    const from = cache.at(ordinal);
    if (from < 0) return;
    const signs = cache.values;
    for (let bit = 0; bit < FINGERPRINT_BITS; bit++) f64[at + bit] = (f64[at + bit] as number) + change * (signs[from + bit] as number);
  }

  /** Numbers of the user's strongest keywords of a kind by |total|, ties by text; their totals lie in #totals. Zero totals are left out. */
  #strongest(k: number, user: UserRow, top: number): number[] {
    const table = this.#tables[k] as KeywordTable;
    const touched = this.#total(k, user).filter((number) => this.#totals[number] !== 0);
    const precedes = (a: number, b: number): boolean => {
      const difference = Math.abs(this.#totals[a] as number) - Math.abs(this.#totals[b] as number);
      return difference !== 0 ? difference > 0 : (table.labels[a] as string) < (table.labels[b] as string);
    };
    if (top >= touched.length || top > 32) return touched.sort((a, b) => (precedes(a, b) ? -1 : 1)).slice(0, top);
    const best: number[] = [];
    for (const number of touched) {
      if (best.length === top && precedes(best[top - 1] as number, number)) continue;
      if (best.length === top) best.pop();
      let at = best.length;
      while (at > 0 && precedes(number, best[at - 1] as number)) at--;
      best.splice(at, 0, number);
    }
    return best;
  }

  #total(k: number, user: UserRow): number[] {
    const table = this.#tables[k] as KeywordTable;
    const weight = (this.kinds[k] as UsedKind).weight;
    const touched: number[] = [];
    this.#stamp += 1;
    for (let i = 0; i < user.row.entryCount; i++) {
      const amount = share(user.effective[i] as number, weight);
      if (amount === 0) continue;
      let at = table.at(user.row.entryItem(i));
      const { numbers, weights } = table;
      for (const end = at + (numbers[at] as number); at < end; ) {
        const number = numbers[++at] as number;
        if (number >= this.#stamps.length) this.#grow(number);
        if (this.#stamps[number] !== this.#stamp) {
          this.#stamps[number] = this.#stamp;
          this.#totals[number] = 0;
          touched.push(number);
        }
        this.#totals[number] =
          (this.#totals[number] as number) + (weights === undefined ? amount : weighted(amount, weights[at] as number));
      }
    }
    return touched;
  }

  #grow(number: number): void {
    const size = Math.max(2 * this.#totals.length, number + 1);
    const totals = new Float64Array(size);
    totals.set(this.#totals);
    this.#totals = totals;
    const stamps = new Uint32Array(size);
    stamps.set(this.#stamps);
    this.#stamps = stamps;
  }
}

/** The sum over an item's keywords of +1 or -1 by bit: |sum| <= 64. */
function fillSigns(table: KeywordTable, ordinal: number, values: Int8Array, at: number): boolean {
  const from = table.at(ordinal) + 1;
  const numbers = table.numbers.subarray(from, from + (table.numbers[from - 1] as number));
  if (numbers.length === 0) return false;
  const sums = new Float64Array(FINGERPRINT_BITS);
  for (const number of numbers) addKeyword(sums, 0, table.hi[number] as number, table.lo[number] as number, 1);
  values.set(sums, at);
  return true;
}
