import { type EventRules, parseEvent } from "../../schemas/event.js";
import type { LogRecord } from "../../schemas/log-record.js";
import type { DeadLetter, DeadLetters } from "../../schemas/ports/admin.js";
import type { Position } from "../../schemas/position.js";
import type { KeptLetter } from "./dead-letter-store.js";
import type { Journal } from "./journal.js";
import { journalPosition } from "./journal-intake.js";

/** Letters tried again in one append. */
const PAGE = 1000;

/** Dead letters of the journal: listed, and put back as new events of the log. */
export class JournalDeadLetters implements DeadLetters {
  readonly #journal: Journal;
  readonly #rules: () => EventRules;
  #replaying: Promise<unknown> = Promise.resolve();

  /** @param rules as of now: a letter may pass that did not when it was written */
  constructor(journal: Journal, rules: () => EventRules) {
    this.#journal = journal;
    this.#rules = rules;
  }

  async list(options: { readonly after?: number; readonly limit: number }): Promise<DeadLetter[]> {
    return (await this.#journal.deadLetters.list(options.after ?? 0, options.limit)).map(({ letter }) => letter);
  }

  /** One at a time: two at once could append the same letter twice. */
  replay(
    repairs: ReadonlyMap<number, unknown> | "all",
  ): Promise<{ readonly replayed: number; readonly failed: number; readonly position: Position }> {
    const done = this.#replaying.then(() => this.#replay(repairs));
    this.#replaying = done.catch(() => undefined);
    return done;
  }

  async #replay(
    repairs: ReadonlyMap<number, unknown> | "all",
  ): Promise<{ readonly replayed: number; readonly failed: number; readonly position: Position }> {
    let [replayed, failed, position] = [0, 0, this.#journal.endOffset];
    for await (const kept of this.#pages(repairs)) {
      const taken: number[] = [];
      const records: LogRecord[] = [];
      for (const letter of kept) {
        const parsed = parseEvent(rawOf(letter, repairs), this.#rules());
        if (!parsed.ok) continue;
        taken.push(letter.letter.number);
        records.push({ kind: "event", event: parsed.value });
      }
      replayed += taken.length;
      failed += kept.length - taken.length;
      if (taken.length > 0) position = await this.#journal.commit({ records, replacedLetters: taken });
    }
    // Numbers that are not on the list (any more) failed too.
    if (repairs !== "all") failed = repairs.size - replayed;
    return { replayed, failed, position: journalPosition(position) };
  }

  async *#pages(repairs: ReadonlyMap<number, unknown> | "all"): AsyncGenerator<KeptLetter[]> {
    if (repairs !== "all") {
      const found: KeptLetter[] = [];
      for (const number of repairs.keys()) {
        if (!Number.isSafeInteger(number) || number < 1) continue;
        const [kept] = await this.#journal.deadLetters.list(number - 1, 1);
        if (kept?.letter.number === number) found.push(kept);
      }
      if (found.length > 0) yield found;
      return;
    }
    for (let after = 0; ; ) {
      const page = await this.#journal.deadLetters.list(after, PAGE);
      if (page.length === 0) return;
      after = page[page.length - 1]?.letter.number ?? after;
      yield page;
    }
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
