import { type FileIntake, type FileProgress, type FileSlice, NEVER_BEGUN, type SliceTaken } from "../../schemas/ports/file-intake.js";
import { FileTurns, progressWith, refusedLetter } from "../file-slices.js";
import type { Journal } from "./journal.js";
import { eventRecords, journalPosition } from "./journal-intake.js";

/**
 * Rows of files, sent slice by slice. How far a file has come is in the batch of its rows, and a slice that does not follow
 * there is not taken: whoever sent it may have been killed before it read the answer, and sends it again.
 */
export class JournalFiles implements FileIntake {
  readonly #journal: Journal;
  readonly #turns = new FileTurns();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  progress(file: string): Promise<FileProgress> {
    return this.#turns.next(file, () => this.#stored(file));
  }

  take(slice: FileSlice): Promise<SliceTaken> {
    return this.#turns.next(slice.file, () => this.#take(slice));
  }

  async #take(slice: FileSlice): Promise<SliceTaken> {
    const stored = await this.#stored(slice.file);
    const progress = progressWith(stored, slice);
    if (progress === undefined) return { taken: false, progress: stored, position: journalPosition(this.#journal.endOffset) };
    const offset = await this.#journal.commit({
      records: eventRecords(slice.events),
      letters: slice.refused.map(refusedLetter),
      file: { hash: slice.file, progress },
    });
    return { taken: true, progress, position: journalPosition(offset) };
  }

  async #stored(file: string): Promise<FileProgress> {
    return (await this.#journal.fileProgress(file)) ?? NEVER_BEGUN;
  }
}
