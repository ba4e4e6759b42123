import { type BehaviourEvent, type EventRules, parseEvent, type Rejection } from "../../schemas/event.js";
import type { UserId } from "../../schemas/ids.js";
import { MAX_ID_LENGTH } from "../../schemas/ids.js";
import { type ColumnMap, type FieldReader, fieldReaders, jsonField } from "./column-map.js";
import type { FileRow } from "./file-row.js";

export const EVENT_FIELDS = ["user", "item", "action", "ts", "id", "type", "scene", "value"] as const;
export type EventField = (typeof EVENT_FIELDS)[number];
/** What a number in `ts` counts; auto: seconds below 1e11 (the year 5138), else milliseconds. */
export const TS_UNITS = ["auto", "s", "ms"] as const;
export type TsUnit = (typeof TS_UNITS)[number];

export interface EventRowOptions {
  readonly map: ColumnMap<EventField>;
  /** Default auto. */
  readonly tsUnit?: TsUnit;
}

/** A row as an event, or why it is none; `raw` is the event as it was read. */
export type EventRow =
  | { readonly event: BehaviourEvent }
  | { readonly rejection: Rejection; readonly raw?: unknown; readonly user?: UserId };

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
/** The action of rows that name none. */
const DEFAULT_ACTION = "play";
const FIRST_MILLISECOND = 1e11;

/** Turns rows into events: fields by name, map or constant; times in their unit; numbers strictly. */
export class EventRows {
  readonly #map: ColumnMap<EventField>;
  readonly #tsUnit: TsUnit;
  readonly #readers: Map<EventField, FieldReader> | undefined;

  /**
   * @param header columns of a table; undefined for rows of JSON
   * @throws KindredError FILE_FORMAT when a mapped or required column is missing
   */
  constructor({ map, tsUnit = "auto" }: EventRowOptions, header: readonly string[] | undefined, path: string) {
    const column = map.columns.action ?? "action";
    const hasColumn = column !== "" && (header === undefined || map.columns.action !== undefined || header.includes(column));
    this.#map = hasColumn || map.constants.action !== undefined ? map : { ...map, constants: { ...map.constants, action: DEFAULT_ACTION } };
    this.#tsUnit = tsUnit;
    this.#readers = header === undefined ? undefined : fieldReaders(EVENT_FIELDS, this.#map, header, ["user", "item", "ts"], path);
  }

  read(row: FileRow, rules: EventRules): EventRow {
    if (row.bad !== undefined) return { rejection: row.bad };
    const raw = row.cells === undefined ? this.#fromJson(row.json) : this.#fromCells(row.cells);
    const parsed = parseEvent(raw, rules);
    if (parsed.ok) return { event: parsed.value };
    const user = (raw as { user?: unknown } | null)?.user;
    const known = typeof user === "string" && user.length >= 1 && user.length <= MAX_ID_LENGTH && user.isWellFormed();
    return { rejection: parsed.error, raw, ...(known && { user: user as UserId }) };
  }

  #fromCells(cells: readonly string[]): Record<string, unknown> {
    const raw: Record<string, unknown> = {};
    for (const [field, read] of this.#readers as Map<EventField, FieldReader>) {
      const text = read(cells);
      if (text !== "") raw[field] = this.#typed(field, text);
    }
    return raw;
  }

  #fromJson(row: unknown): unknown {
    if (typeof row !== "object" || row === null || Array.isArray(row)) return row;
    const raw: Record<string, unknown> = {};
    for (const field of EVENT_FIELDS) {
      const value = jsonField(field, this.#map, row as Record<string, unknown>);
      if (value === undefined || value === null) continue;
      const constant = this.#map.constants[field] !== undefined;
      if (constant && typeof value === "string") raw[field] = this.#typed(field, value);
      else raw[field] = field === "ts" && typeof value === "number" ? this.#milliseconds(value) : value;
    }
    raw.action ??= DEFAULT_ACTION;
    return raw;
  }

  /** Text that is no number where one belongs stays text: the check of the event refuses it. */
  #typed(field: EventField, text: string): unknown {
    if ((field !== "ts" && field !== "value") || !NUMBER.test(text)) return text;
    return field === "ts" ? this.#milliseconds(Number(text)) : Number(text);
  }

  #milliseconds(time: number): number {
    const seconds = this.#tsUnit === "s" || (this.#tsUnit === "auto" && time < FIRST_MILLISECOND);
    return seconds ? time * 1000 : time;
  }
}
