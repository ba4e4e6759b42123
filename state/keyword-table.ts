import type { CatalogueItem, KeywordKind } from "../schemas/catalogue.js";
import type { ItemId } from "../schemas/ids.js";
import { MAX_ITEM_LABELS } from "../schemas/item.js";
import type { ItemTable } from "./item-table.js";
import { keywordHash } from "./simhash.js";

/** The labels of an item under one kind: at most 64, none twice. */
export function labelsOf(kind: KeywordKind, item: ItemId, known: CatalogueItem | undefined): readonly string[] {
  if (kind === "items") return [item];
  const labels = (kind === "tags" ? known?.tags : known?.creators) ?? [];
  return labels.length > 1 ? [...new Set(labels)].slice(0, MAX_ITEM_LABELS) : labels;
}

/**
 * Keywords of one kind under one catalogue, numbered in the order first met (in memory only), and those of each item.
 * Lives as long as its catalogue; bounded by the labels of the items that were met.
 */
export class KeywordTable {
  readonly labels: string[] = [];
  readonly hi: number[] = [];
  readonly lo: number[] = [];
  readonly #numbers = new Map<string, number>();
  /** Keywords of the items that were met, one item after the other, each with their count before them: a row's are read far apart anyway. */
  numbers = new Uint32Array(1024);
  #used = 1;
  /** Where each item's count is; 0 = not met yet. */
  #starts = new Uint32Array(1024);

  constructor(
    readonly kind: KeywordKind,
    private readonly known: ReadonlyMap<ItemId, CatalogueItem>,
    private readonly items: ItemTable,
  ) {}

  /** Where the count of an item's keywords is in `numbers`, followed by their numbers. Holds, as `numbers` does, until the next call. */
  at(ordinal: number): number {
    const start = this.#starts[ordinal];
    return start === undefined || start === 0 ? this.#meet(ordinal) : start;
  }

  #meet(ordinal: number): number {
    if (ordinal >= this.#starts.length) this.#starts = grown(this.#starts, ordinal + 1);
    const item = this.items.id(ordinal);
    const labels = labelsOf(this.kind, item, this.known.get(item));
    const start = this.#used;
    this.#used += 1 + labels.length;
    if (this.#used > this.numbers.length) this.numbers = grown(this.numbers, this.#used);
    this.numbers[start] = labels.length;
    labels.forEach((label, i) => {
      this.numbers[start + 1 + i] = this.#number(label);
    });
    this.#starts[ordinal] = start;
    return start;
  }

  #number(label: string): number {
    const known = this.#numbers.get(label);
    if (known !== undefined) return known;
    const number = this.labels.length;
    const { hi, lo } = keywordHash(this.kind, label);
    this.#numbers.set(label, number);
    this.labels.push(label);
    this.hi.push(hi);
    this.lo.push(lo);
    return number;
  }
}

function grown(values: Uint32Array<ArrayBuffer>, least: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(2 * values.length, least));
  larger.set(values);
  return larger;
}
