import { KindredError } from "../schemas/errors.js";
import type { Offset, UserId } from "../schemas/ids.js";
import type { KeyValueStore } from "../schemas/ports/key-value-store.js";
import { ErasureSweep } from "./erasure-sweep.js";
import { CHANGES_FROM_KEY, changesBefore, UNSWEPT_KEY } from "./keys.js";
import type { WriteTurns } from "./write-turns.js";

/** What a store says of itself when it is opened. */
interface Found {
  readonly meta: { readonly offset: number };
  readonly unswept: boolean;
  readonly changesFrom: number;
}

/**
 * What a partition's store needs beside its commits: change records that nobody asks for any more go, and erased users are
 * swept out of the files.
 */
export class PartitionUpkeep {
  readonly #sweep: ErasureSweep;
  /** Whether the store says that erased users are not yet swept out of its files. */
  #unswept: boolean;
  #changesFrom: number;

  /** @param turns those of the commits */
  constructor(
    private readonly store: KeyValueStore,
    private readonly turns: WriteTurns,
    { meta, unswept, changesFrom }: Found,
  ) {
    this.#unswept = unswept;
    this.#changesFrom = changesFrom;
    this.#sweep = new ErasureSweep(store, unswept ? (meta.offset as Offset) : undefined);
  }

  /** Change records of commits that ended before this offset are gone. */
  get changesFrom(): number {
    return this.#changesFrom;
  }

  /** A batch was committed that erased these users, ended at `offset`, and put UNSWEPT_KEY. */
  erased(users: readonly UserId[], offset: number): void {
    if (users.length === 0) return;
    this.#unswept = true;
    this.#sweep.erased(users, offset);
  }

  /** A batch was committed that put `encodeChangesFrom(offset)`: earlier changes are not all known. */
  begunAt(offset: number): void {
    this.#changesFrom = Math.max(this.#changesFrom, offset);
  }

  /**
   * Everything written before is on the disk when it resolves; change records of commits that ended before `keepFrom` are gone,
   * and users erased by now from the files too. Change records name users, so that who was erased is named until a snapshot
   * keeps only what ended after the erasure. @throws KindredError STORAGE_FAILED
   */
  async snapshot(keepFrom: number): Promise<void> {
    // In turn with the commits, of which one may say the same.
    const changesFrom = await this.turns.take(async () => {
      const from = Math.max(this.#changesFrom, keepFrom);
      await this.store.batch([{ type: "put", key: CHANGES_FROM_KEY, value: encodeChangesFrom(from) }], { sync: true });
      this.#changesFrom = from;
      return from;
    });
    await this.store.clear(changesBefore(changesFrom));
    this.#sweep.trimmed(changesFrom);
    await this.#sweep.settled();
    await this.#forgetSwept();
  }

  /** Resolves when erased users are being swept out no more. @throws KindredError STORAGE_FAILED */
  swept(): Promise<void> {
    return this.#sweep.settled();
  }

  /** Resolves when nothing is being written or swept any more: before the store is closed. @throws KindredError STORAGE_FAILED */
  async settled(): Promise<void> {
    await this.turns.settled();
    await this.#sweep.settled();
  }

  /** In turn with the commits: one that erases afterwards says anew that there is something to sweep. */
  #forgetSwept(): Promise<void> {
    return this.turns.take(async () => {
      if (!this.#unswept || !this.#sweep.clean) return;
      this.#unswept = false;
      await this.store.batch([{ type: "del", key: UNSWEPT_KEY }]);
    });
  }
}

export const encodeChangesFrom = (changesFrom: number): Uint8Array => Buffer.from(JSON.stringify({ changesFrom }));

/** @throws KindredError STATE_CORRUPT */
export async function readChangesFrom(store: KeyValueStore): Promise<number> {
  const stored = await store.get(CHANGES_FROM_KEY);
  if (stored === undefined) return 0;
  try {
    const { changesFrom } = JSON.parse(Buffer.from(stored).toString("utf8")) as { changesFrom: unknown };
    if (Number.isSafeInteger(changesFrom)) return changesFrom as number;
  } catch (error) {
    throw new KindredError("STATE_CORRUPT", "where the change records begin is not readable", undefined, { cause: error });
  }
  throw new KindredError("STATE_CORRUPT", "where the change records begin is damaged");
}
