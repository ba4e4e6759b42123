import { type BehaviourEvent, type EventRules, parseEvent } from "../schemas/event.js";
import type { Offset, Partition } from "../schemas/ids.js";
import type { DeadLetter } from "../schemas/ports/admin.js";
import type { Position } from "../schemas/position.js";

/** A letter read back, with the event as it was read where that is known. */
export interface KeptLetter {
  readonly letter: DeadLetter;
  readonly raw?: unknown;
}

/** Dead letters that can go back into the log, wherever they lie. */
export interface ReplayableLetters {
  /** Those after the number `after`, ascending. */
  page(after: number, limit: number): Promise<KeptLetter[]>;
  /** Those of the numbers that are still there. */
  find(numbers: readonly number[]): Promise<KeptLetter[]>;
  /** Appends the events in the place of their letters, all or nothing. */
  replace(letters: readonly KeptLetter[], events: readonly BehaviourEvent[]): Promise<Position>;
}

export interface Replayed {
  readonly replayed: number;
  readonly failed: number;
  /** Of what was appended; empty where nothing was. */
  readonly position: Position;
}

/** Letters tried again in one append. */
const PAGE = 1000;

/** Tries letters again, repaired or as they are. Those that pass the rules of now become events of the log and leave the list. */
export async function replayLetters(
  letters: ReplayableLetters,
  repairs: ReadonlyMap<number, unknown> | "all",
  rules: () => EventRules,
): Promise<Replayed> {
  let [replayed, failed] = [0, 0];
  const position = new Map<Partition, Offset>();
  for await (const kept of pages(letters, repairs)) {
    const taken: KeptLetter[] = [];
    const events: BehaviourEvent[] = [];
    for (const letter of kept) {
      const parsed = parseEvent(rawOf(letter, repairs), rules());
      if (!parsed.ok) continue;
      taken.push(letter);
      events.push(parsed.value);
    }
    replayed += taken.length;
    failed += kept.length - taken.length;
    if (taken.length > 0) for (const [partition, offset] of await letters.replace(taken, events)) position.set(partition, offset);
  }
  // Numbers that are not on the list (any more) failed too.
  if (repairs !== "all") failed = repairs.size - replayed;
  return { replayed, failed, position };
}

async function* pages(letters: ReplayableLetters, repairs: ReadonlyMap<number, unknown> | "all"): AsyncGenerator<KeptLetter[]> {
  if (repairs !== "all") {
    const found = await letters.find([...repairs.keys()].filter((number) => Number.isSafeInteger(number) && number >= 1));
    if (found.length > 0) yield found;
    return;
  }
  for (let after = 0; ; ) {
    const page = await letters.page(after, PAGE);
    if (page.length === 0) return;
    after = page[page.length - 1]?.letter.number ?? after;
    yield page;
  }
}

/** What is tried: the repair, else the event as it was read, else the original as JSON. */
function rawOf({ letter, raw }: KeptLetter, repairs: ReadonlyMap<number, unknown> | "all"): unknown {
  const repaired = repairs === "all" ? undefined : repairs.get(letter.number);
  if (repaired !== undefined && repaired !== null) return repaired;
  if (raw !== undefined) return raw;
  try {
    return JSON.parse(letter.original);
  } catch {
    return undefined;
  }
}
