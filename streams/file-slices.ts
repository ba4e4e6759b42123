import type { UserId } from "../schemas/ids.js";
import type { RefusedLine } from "../schemas/ports/admin.js";
import { type FileProgress, type FileSlice, nextRows } from "../schemas/ports/file-intake.js";
import type { NewDeadLetter } from "./new-dead-letter.js";

/** How far the file has come with a slice; undefined where these are not the rows that come next. */
export function progressWith(stored: FileProgress, { run, after, rows, events, refused, done }: FileSlice): FileProgress | undefined {
  const next = nextRows(stored);
  if (run !== next.run || after !== next.rowsRead) return undefined;
  return { rowsRead: after + rows, events: next.events + events.length, rejected: next.rejected + refused.length, done, run };
}

/** The dead letter of a line that its sender could not make an event of. */
export const refusedLetter = ({ user, original, ...line }: RefusedLine): NewDeadLetter => ({
  ...line,
  original: Buffer.from(original),
  ...(user !== undefined && { user: user as UserId }),
});

/** Work on the same file is done one after the other: two slices must not look at the same progress. */
export class FileTurns {
  /** By file, the end of the queue of what is asked about it. */
  readonly #turns = new Map<string, Promise<unknown>>();

  /** Whether anything is under way or waits. */
  has(file: string): boolean {
    return this.#turns.has(file);
  }

  next<T>(file: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#turns.get(file) ?? Promise.resolve()).then(work);
    const turn = done
      .catch(() => undefined)
      .then(() => {
        if (this.#turns.get(file) === turn) this.#turns.delete(file);
      });
    this.#turns.set(file, turn);
    return done;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#turns.size > 0) await Promise.all(this.#turns.values());
  }
}
