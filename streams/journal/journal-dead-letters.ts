import type { EventRules } from "../../schemas/event.js";
import type { DeadLetter, DeadLetters } from "../../schemas/ports/admin.js";
import { type KeptLetter, type ReplayableLetters, type Replayed, replayLetters } from "../replay-letters.js";
import type { Journal } from "./journal.js";
import { eventRecords, journalPosition } from "./journal-intake.js";

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
  replay(repairs: ReadonlyMap<number, unknown> | "all"): Promise<Replayed> {
    const done = this.#replaying.then(() => this.#replay(repairs));
    this.#replaying = done.catch(() => undefined);
    return done;
  }

  async #replay(repairs: ReadonlyMap<number, unknown> | "all"): Promise<Replayed> {
    const { deadLetters } = this.#journal;
    const letters: ReplayableLetters = {
      page: (after, limit) => deadLetters.list(after, limit),
      find: (numbers) => this.#find(numbers),
      replace: async (taken, events) => {
        const replacedLetters = taken.map(({ letter }) => letter.number);
        return journalPosition(await this.#journal.commit({ records: eventRecords(events), replacedLetters }));
      },
    };
    const before = journalPosition(this.#journal.endOffset);
    const done = await replayLetters(letters, repairs, this.#rules);
    return done.position.size > 0 ? done : { ...done, position: before };
  }

  async #find(numbers: readonly number[]): Promise<KeptLetter[]> {
    const found: KeptLetter[] = [];
    for (const number of numbers) {
      const [kept] = await this.#journal.deadLetters.list(number - 1, 1);
      if (kept?.letter.number === number) found.push(kept);
    }
    return found;
  }
}
