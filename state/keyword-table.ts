import type { CatalogueItem, KeywordKind } from "../schemas/catalogue.js";
import type { ItemId } from "../schemas/ids.js";
import { MAX_ITEM_LABELS } from "../schemas/item.js";
import type { ItemTable } from "./item-table.js";
import { keywordHash } from "./simhash.js";

/** What the heaviest tag of a catalogue weighs. */
export const TAG_WEIGHT_ONE = 2 ** 16;

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
  /** What each of `numbers` weighs, 1..TAG_WEIGHT_ONE; undefined where all are alike. */
  weights: Uint32Array<ArrayBuffer> | undefined;
  readonly #heaviest: number | undefined;
  /** Where each item's count is; 0 = not met yet. */
  #starts = new Uint32Array(1024);

  constructor(
    readonly kind: KeywordKind,
    private readonly known: ReadonlyMap<ItemId, CatalogueItem>,
    private readonly items: ItemTable,
  ) {
    this.#heaviest = kind === "tags" ? heaviestTag(known.values()) : undefined;
    if (this.#heaviest !== undefined) this.weights = new Uint32Array(this.numbers.length);
  }

  /** Where the count of an item's keywords is in `numbers`, followed by their numbers. Holds, as `numbers` does, until the next call. */
  at(ordinal: number): number {
    const start = this.#starts[ordinal];
    return start === undefined || start === 0 ? this.#meet(ordinal) : start;
  }

  #meet(ordinal: number): number {
    if (ordinal >= this.#starts.length) this.#starts = grown(this.#starts, ordinal + 1);
    const item = this.items.id(ordinal);
    const known = this.known.get(item);
    const labels = labelsOf(this.kind, item, known);
    const start = this.#used;
    this.#used += 1 + labels.length;
    if (this.#used > this.numbers.length) {
      this.numbers = grown(this.numbers, this.#used);
      if (this.weights) this.weights = grown(this.weights, this.#used);
    }
    this.numbers[start] = labels.length;
    labels.forEach((label, i) => {
      this.numbers[start + 1 + i] = this.#number(label);
      if (this.weights) this.weights[start + 1 + i] = this.#weight(known?.tagWeights?.[i] ?? 1);
    });
    this.#starts[ordinal] = start;
    return start;
  }

  #weight(weight: number): number {
    return Math.max(1, Math.round((TAG_WEIGHT_ONE * weight) / (this.#heaviest as number)));
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

/** What the heaviest tag weighs; undefined where none has a weight. */
function heaviestTag(items: Iterable<CatalogueItem>): number | undefined {
  let heaviest = 0;
  let weighted = false;
  for (const { tags, tagWeights } of items) {
    if (tags === undefined) continue;
    weighted ||= tagWeights !== undefined;
    for (let i = 0; i < tags.length; i++) heaviest = Math.max(heaviest, tagWeights?.[i] ?? 1);
  }
  return weighted ? heaviest : undefined;
}

function grown(values: Uint32Array<ArrayBuffer>, least: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(2 * values.length, least));
  larger.set(values);
  return larger;
}
