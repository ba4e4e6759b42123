import { isUtf8 } from "node:buffer";
import { KindredError } from "../schemas/errors.js";
import type { BehaviourEvent, EventRules, Rejection } from "../schemas/event.js";
import { parseEvent } from "../schemas/event.js";

/** What of a request is taken, and what is not. */
export interface AcceptedEvents {
  readonly events: readonly BehaviourEvent[];
  /** `index` counts the events of the request from 0. */
  readonly rejected: readonly (Rejection & { readonly index: number })[];
}

export interface AcceptLimits {
  readonly maxEvents: number;
  readonly maxLineBytes: number;
}

const NEWLINE = 0x0a;

/** Checks each event alone: good ones are taken when others are refused. @throws KindredError TOO_MANY_EVENTS */
export function acceptEvents(raws: readonly unknown[], rules: EventRules, limits: AcceptLimits): AcceptedEvents {
  if (raws.length > limits.maxEvents) throw tooMany(limits.maxEvents);
  const taker = new Taker(rules);
  for (const raw of raws) taker.take(raw);
  return taker;
}

/**
 * Newline-delimited JSON, one event a line. Blank lines are skipped and not counted; a line that is not JSON, not UTF-8
 * or too long is refused alone, also half a line at the end. @throws KindredError TOO_MANY_EVENTS
 */
export function acceptLines(body: Buffer, rules: EventRules, limits: AcceptLimits): AcceptedEvents {
  const taker = new Taker(rules);
  for (let start = 0; start < body.length; ) {
    const newline = body.indexOf(NEWLINE, start);
    const end = newline < 0 ? body.length : newline;
    const line = body.subarray(start, end);
    start = end + 1;
    if (isBlank(line)) continue;
    if (taker.count === limits.maxEvents) throw tooMany(limits.maxEvents);
    if (line.length > limits.maxLineBytes)
      taker.refuse({ code: "EVENT_TOO_LARGE", message: `the line is longer than ${limits.maxLineBytes} bytes` });
    else takeLine(line, newline < 0, taker);
  }
  return taker;
}

function takeLine(line: Buffer, unterminated: boolean, taker: Taker): void {
  const read = isUtf8(line) ? readJson(line.toString()) : undefined;
  if (read !== undefined) taker.take(read.value);
  else {
    const what = unterminated ? "the last line, which no newline ends," : "the line";
    taker.refuse({ code: "INVALID_JSON", message: `${what} is not valid JSON in UTF-8` });
  }
}

function readJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  return true;
}

const tooMany = (max: number): KindredError =>
  new KindredError("TOO_MANY_EVENTS", `at most ${max} events in one request; nothing was taken`);

class Taker implements AcceptedEvents {
  readonly events: BehaviourEvent[] = [];
  readonly rejected: (Rejection & { index: number })[] = [];
  count = 0;

  constructor(readonly rules: EventRules) {}

  take(raw: unknown): void {
    const parsed = parseEvent(raw, this.rules);
    if (!parsed.ok) {
      this.refuse(parsed.error);
      return;
    }
    this.count++;
    this.events.push(parsed.value);
  }

  refuse(error: Rejection): void {
    this.rejected.push({ index: this.count++, code: error.code, message: error.message });
  }
}
