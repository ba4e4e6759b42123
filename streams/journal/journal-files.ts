import type { UserId } from "../../schemas/ids.js";
import type { RefusedLine } from "../../schemas/ports/admin.js";
import {
  type FileIntake,
  type FileProgress,
  type FileSlice,
  NEVER_BEGUN,
  nextRows,
  type SliceTaken,
} from "../../schemas/ports/file-intake.js";
import type { NewDeadLetter } from "../new-dead-letter.js";
import type { Journal } from "./journal.js";
import { eventRecords, journalPosition } from "./journal-intake.js";

/**
 * Rows of files, sent slice by slice. How far a file has come is in the batch of its rows, and a slice that does not follow
 * there is not taken: whoever sent it may have been killed before it read the answer, and sends it again.
 */
export class JournalFiles implements FileIntake {
  readonly #journal: Journal;
  /** By file, the end of the queue of what is asked about it: two slices must not look at the same progress. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  progress(file: string): Promise<FileProgress> {
    return this.#inTurn(file, () => this.#stored(file));
  }

  take(slice: FileSlice): Promise<SliceTaken> {
    return this.#inTurn(slice.file, () => this.#take(slice));
  }

  async #take({ file, run, after, rows, events, refused, done }: FileSlice): Promise<SliceTaken> {
    const stored = await this.#stored(file);
    const next = nextRows(stored);
    if (run !== next.run || after !== next.rowsRead)
      return { taken: false, progress: stored, position: journalPosition(this.#journal.endOffset) };
    const progress: FileProgress = {
      rowsRead: after + rows,
      events: next.events + events.length,
      rejected: next.rejected + refused.length,
      done,
      run,
    };
    const records = eventRecords(events);
    const offset = await this.#journal.commit({ records, letters: refused.map(letterOf), file: { hash: file, progress } });
    return { taken: true, progress, position: journalPosition(offset) };
  }

  async #stored(file: string): Promise<FileProgress> {
    return (await this.#journal.fileProgress(file)) ?? NEVER_BEGUN;
  }

  #inTurn<T>(file: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#turns.get(file) ?? Promise.resolve()).then(work);
    const turn = done
      .catch(() => undefined)
      .then(() => {
        if (this.#turns.get(file) === turn) this.#turns.delete(file);
      });
    this.#turns.set(file, turn);
    return done;
  }
}

const letterOf = ({ user, original, ...line }: RefusedLine): NewDeadLetter => ({
  ...line,
  original: Buffer.from(original),
  ...(user !== undefined && { user: user as UserId }),
});
