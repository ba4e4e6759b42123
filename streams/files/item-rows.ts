import type { Rejection } from "../../schemas/event.js";
import { type ItemInfo, MAX_ITEM_LABELS, parseItemInfo } from "../../schemas/item.js";
import { type ColumnMap, type FieldReader, fieldReaders, jsonField } from "./column-map.js";
import type { FileRow } from "./file-row.js";

export const ITEM_FIELDS = ["item", "type", "title", "creators", "tags", "tagWeights", "scene"] as const;
export type ItemField = (typeof ITEM_FIELDS)[number];

export interface ItemRowOptions {
  readonly map: ColumnMap<ItemField>;
  /** What separates several creators, tags or weights of tags in one cell, e.g. ";" or "|"; default both. "" = a cell is one label. */
  readonly separators?: string;
}

const LISTS = new Set<ItemField>(["creators", "tags"]);

/** Turns rows into side information of items. */
export class ItemRows {
  readonly #map: ColumnMap<ItemField>;
  readonly #separators: ReadonlySet<string>;
  readonly #readers: Map<ItemField, FieldReader> | undefined;

  /** @param header columns of a table; undefined for rows of JSON. @throws KindredError FILE_FORMAT */
  constructor({ map, separators = ";|" }: ItemRowOptions, header: readonly string[] | undefined, path: string) {
    this.#map = map;
    this.#separators = new Set(separators);
    this.#readers = header === undefined ? undefined : fieldReaders(ITEM_FIELDS, map, header, ["item"], path);
  }

  read(row: FileRow): { readonly info: ItemInfo } | { readonly rejection: Rejection } {
    if (row.bad !== undefined) return { rejection: row.bad };
    const parsed = parseItemInfo(row.cells === undefined ? this.#fromJson(row.json) : this.#fromCells(row.cells));
    return parsed.ok ? { info: parsed.value } : { rejection: parsed.error };
  }

  #fromCells(cells: readonly string[]): Record<string, unknown> {
    const raw: Record<string, unknown> = {};
    for (const [field, read] of this.#readers as Map<ItemField, FieldReader>) {
      const text = read(cells).trim();
      if (text !== "") raw[field] = this.#value(field, text);
    }
    return raw;
  }

  #fromJson(row: unknown): unknown {
    if (typeof row !== "object" || row === null || Array.isArray(row)) return row;
    const raw: Record<string, unknown> = {};
    for (const field of ITEM_FIELDS) {
      const value = jsonField(field, this.#map, row as Record<string, unknown>);
      if (value !== undefined && value !== null) raw[field] = typeof value === "string" ? this.#value(field, value) : value;
    }
    return raw;
  }

  #value(field: ItemField, text: string): unknown {
    if (field === "tagWeights") return this.#labels(text).map(Number);
    return LISTS.has(field) ? this.#labels(text) : text;
  }

  #labels(text: string): string[] {
    const labels: string[] = [];
    let label = "";
    for (const char of text) {
      if (this.#separators.has(char)) {
        labels.push(label.trim());
        label = "";
      } else label += char;
    }
    labels.push(label.trim());
    return labels.filter((some) => some !== "").slice(0, MAX_ITEM_LABELS);
  }
}
