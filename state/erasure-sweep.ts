import type { Offset, UserId } from "../schemas/ids.js";
import type { KeyValueStore } from "../schemas/ports/key-value-store.js";
import { ALL_BANDS, ALL_CHANGES, ALL_ROWS, type KeySpan, rowsAround } from "./keys.js";

/** From so many erased users on, all rows are compacted in one go instead of each user's surroundings. */
const MANY_USERS = 32;

/**
 * Takes the bytes of erased users out of the store's files, where a delete alone leaves them until some later compaction.
 * One round at a time, beside the commits; users erased during one are of the next. The surroundings of each user's row
 * are compacted, and all band keys: what earlier fingerprints of a user left there cannot be found by name any more.
 * Change records name users too, and readers still have to hear of the erasure: those go once a snapshot has trimmed them.
 *
 * What rests: RocksDB's MANIFEST names the first and last key of each file it ever had, until the next opening writes it anew.
 */
export class ErasureSweep {
  readonly #users = new Set<UserId>();
  #everyRow: boolean;
  /** Change records up to here may name someone erased. */
  #namedTo: number | undefined;
  #trimmedTo = 0;
  #round: Promise<void> = Promise.resolve();
  #queued = false;
  #failure: unknown;

  /** @param unfinishedTo the applied offset, if the process ended before everything erased was swept: all is swept anew then */
  constructor(
    private readonly store: KeyValueStore,
    unfinishedTo: Offset | undefined,
  ) {
    this.#everyRow = unfinishedTo !== undefined;
    this.#namedTo = unfinishedTo;
    if (this.#everyRow) this.#start();
  }

  /** An erasure was committed by a batch that ended at `offset`. */
  erased(users: readonly UserId[], offset: number): void {
    for (const user of users) this.#users.add(user);
    this.#namedTo = offset;
    this.#start();
  }

  /** Change records below `offset` were deleted. Tries again what failed before. */
  trimmed(offset: number): void {
    this.#trimmedTo = offset;
    if (this.#everyRow || this.#users.size > 0 || this.#changesDue()) this.#start();
  }

  /** Nothing of anyone erased is left to be swept, change records included. */
  get clean(): boolean {
    return !this.#everyRow && this.#users.size === 0 && this.#namedTo === undefined;
  }

  /** Resolves when no round is under way. @throws KindredError STORAGE_FAILED: a round failed; its part is tried again with the next */
  async settled(): Promise<void> {
    await this.#round;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  #changesDue(): boolean {
    return this.#namedTo !== undefined && this.#trimmedTo > this.#namedTo;
  }

  #start(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#round = this.#round.then(async () => {
      this.#queued = false;
      try {
        await this.#sweep();
      } catch (error) {
        this.#failure = error;
      }
    });
  }

  async #sweep(): Promise<void> {
    const users = [...this.#users];
    const everyRow = this.#everyRow || users.length >= MANY_USERS;
    if (everyRow || users.length > 0) {
      // Taken out before: whoever is erased once more meanwhile is swept once more.
      this.#users.clear();
      this.#everyRow = false;
      try {
        for (const span of [...(everyRow ? [ALL_ROWS] : users.map(rowsAround)), ALL_BANDS]) await this.#take(span);
      } catch (error) {
        this.#everyRow ||= everyRow;
        for (const user of users) this.#users.add(user);
        throw error;
      }
    }
    const namedTo = this.#namedTo;
    if (!this.#changesDue()) return;
    await this.#take(ALL_CHANGES);
    if (this.#namedTo === namedTo) this.#namedTo = undefined;
  }

  /**
   * Twice: a file that overlaps no other is only moved a level down by a compaction, with the deletes (and so the names) that
   * it holds. Deletes of two keys that nobody has make a file that overlaps it, and the second time both are written anew.
   */
  async #take({ gte, lt }: KeySpan): Promise<void> {
    await this.store.compact(gte, lt);
    await this.store.batch([
      { type: "del", key: gte },
      { type: "del", key: lt },
    ]);
    await this.store.compact(gte, lt);
  }
}
