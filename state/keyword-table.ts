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
  readonly #ofItem: (Uint32Array | undefined)[] = [];

  constructor(
    readonly kind: KeywordKind,
    private readonly known: ReadonlyMap<ItemId, CatalogueItem>,
    private readonly items: ItemTable,
  ) {}

  /** Numbers of an item's keywords. */
  ofItem(ordinal: number): Uint32Array {
    const cached = this.#ofItem[ordinal];
    if (cached !== undefined) return cached;
    const item = this.items.id(ordinal);
    const numbers = Uint32Array.from(labelsOf(this.kind, item, this.known.get(item)), (label) => this.#number(label));
    this.#ofItem[ordinal] = numbers;
    return numbers;
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
