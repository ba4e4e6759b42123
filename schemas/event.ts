import type { ErrorCode } from "./errors.js";
import type { EpochMs, ItemId, UserId } from "./ids.js";
import { MAX_EVENT_ID_LENGTH, MAX_ID_LENGTH } from "./ids.js";

/** One thing a user did, checked and normalised: what the log holds. */
export interface BehaviourEvent {
  readonly user: UserId;
  readonly item: ItemId;
  /** One of the configured actions, e.g. `play`; the catalogue gives its weight. */
  readonly action: string;
  /** Event time. */
  readonly ts: EpochMs;
  /** Idempotency key: counts once per user within a bounded window. */
  readonly id?: string;
  /** Kind of item; from `song:42` where not sent. */
  readonly type?: string;
  /** Business scene: music, live, podcast, ... */
  readonly scene?: string;
  /** Seconds played, amount given; >= 0. */
  readonly value?: number;
}

/** What an event is accepted against. Wall clock enters here, at the edge, and nowhere after. */
export interface EventRules {
  /** The actions that the configuration gives a weight; absent: any text of 1 to 128 characters, for what a log holds already. */
  readonly actions?: ReadonlySet<string>;
  /** Latest acceptable event time. */
  readonly latestTs: EpochMs;
}

export interface Rejection {
  readonly code: ErrorCode;
  readonly message: string;
}

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Rejection };

const refuse = (code: ErrorCode, message: string): { ok: false; error: Rejection } => ({ ok: false, error: { code, message } });

/** The kind that an id's prefix names: `song:42` gives `song`; undefined without a prefix. */
export function typeOfId(item: string): string | undefined {
  const colon = item.indexOf(":");
  return colon > 0 ? item.slice(0, colon) : undefined;
}

const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** RFC 3339 text or epoch milliseconds → epoch milliseconds; undefined when it is neither. Fractions of a millisecond are cut. */
export function parseTimestamp(ts: unknown): EpochMs | undefined {
  if (typeof ts === "number") return Number.isFinite(ts) && ts >= 0 ? Math.floor(ts) : undefined;
  if (typeof ts !== "string" || !RFC3339.test(ts)) return undefined;
  const day = Number(ts.slice(8, 10));
  const parsed = Date.parse(ts.replace(" ", "T"));
  if (!Number.isFinite(parsed) || parsed < 0) return undefined;
  // Date.parse rolls 30 February over into March: refuse days that their month lacks.
  const monthDays = new Date(Date.UTC(Number(ts.slice(0, 4)), Number(ts.slice(5, 7)), 0)).getUTCDate();
  return day >= 1 && day <= monthDays ? parsed : undefined;
}

// A lone surrogate has no UTF-8 form: stored and read again it would be another id.
export const isText = (value: unknown, max: number): value is string =>
  typeof value === "string" && value.length >= 1 && value.length <= max && value.isWellFormed();

const isAction = (value: unknown, actions: ReadonlySet<string> | undefined): value is string =>
  actions === undefined ? isText(value, MAX_ID_LENGTH) : typeof value === "string" && actions.has(value);

const describeActions = (actions: ReadonlySet<string> | undefined): string =>
  actions === undefined
    ? `action must be a string of 1 to ${MAX_ID_LENGTH} characters`
    : `action must be one of ${[...actions].join(", ")}`;

/** Checks one event as a producer sent it. Never throws; the rejection names the field. */
export function parseEvent(raw: unknown, rules: EventRules): Parsed<BehaviourEvent> {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return refuse("EVENT_NOT_AN_OBJECT", "an event is a JSON object");
  const e = raw as Record<string, unknown>;
  if (!isText(e.user, MAX_ID_LENGTH)) return refuse("EVENT_USER", `user must be a string of 1 to ${MAX_ID_LENGTH} characters`);
  if (!isText(e.item, MAX_ID_LENGTH)) return refuse("EVENT_ITEM", `item must be a string of 1 to ${MAX_ID_LENGTH} characters`);
  const action = e.action;
  if (!isAction(action, rules.actions)) return refuse("EVENT_ACTION", describeActions(rules.actions));
  const ts = parseTimestamp(e.ts);
  if (ts === undefined) return refuse("EVENT_TIME", "ts must be RFC 3339 or epoch milliseconds from 1970 on");
  if (ts > rules.latestTs) return refuse("EVENT_TIME", `ts lies in the future: later than ${new Date(rules.latestTs).toISOString()}`);
  const id = e.id ?? undefined;
  if (id !== undefined && !isText(id, MAX_EVENT_ID_LENGTH))
    return refuse("EVENT_ID", `id must be a string of 1 to ${MAX_EVENT_ID_LENGTH} characters`);
  const type = e.type ?? typeOfId(e.item);
  if (type !== undefined && !isText(type, MAX_ID_LENGTH))
    return refuse("EVENT_TYPE", `type must be a string of 1 to ${MAX_ID_LENGTH} characters`);
  const scene = e.scene ?? undefined;
  if (scene !== undefined && !isText(scene, MAX_ID_LENGTH))
    return refuse("EVENT_SCENE", `scene must be a string of 1 to ${MAX_ID_LENGTH} characters`);
  const value = e.value ?? undefined;
  if (value !== undefined && !(typeof value === "number" && Number.isFinite(value) && value >= 0))
    return refuse("EVENT_VALUE", "value must be a finite number from 0");
  // Set one by one: with spreads this object costs more than all the checks, and every event of a topic comes through here.
  const event: { -readonly [Key in keyof BehaviourEvent]: BehaviourEvent[Key] } = {
    user: e.user as UserId,
    item: e.item as ItemId,
    action,
    ts,
  };
  if (id !== undefined) event.id = id;
  if (type !== undefined) event.type = type;
  if (scene !== undefined) event.scene = scene;
  if (value !== undefined) event.value = value;
  return { ok: true, value: event };
}
