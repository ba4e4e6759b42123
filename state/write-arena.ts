/**
 * Room for the keys and values of one micro-batch: one block of memory that is used again once the batch was handed to the
 * store, since memory fresh from the system costs more than the copy into it.
 */
export class WriteArena {
  #block: Buffer;
  #used = 0;

  constructor(bytes: number) {
    this.#block = Buffer.allocUnsafeSlow(bytes);
  }

  /** `bytes` of room; what it holds before is undefined. */
  take(bytes: number): Buffer {
    if (this.#used + bytes > this.#block.length) {
      // What was taken before keeps the old block alive.
      this.#block = Buffer.allocUnsafeSlow(Math.max(2 * this.#block.length, bytes));
      this.#used = 0;
    }
    const room = this.#block.subarray(this.#used, this.#used + bytes);
    // Multiples of 8: rows are read in place as doubles.
    this.#used = (this.#used + bytes + 7) & ~7;
    return room;
  }

  get bytes(): number {
    return this.#block.length;
  }

  reset(): void {
    this.#used = 0;
  }
}

/** What a backlog's largest commits needed is given back: each partition would keep it for good. */
const MOST_KEPT_BYTES = 16 << 20;

/** Arenas that are free to be used again; at most as many as batches were ever pending. */
export class ArenaPool {
  readonly #free: WriteArena[] = [];

  take(): WriteArena {
    return this.#free.pop() ?? new WriteArena(1 << 20);
  }

  /** No view of the arena is in use any more. */
  give(arena: WriteArena): void {
    if (arena.bytes > MOST_KEPT_BYTES) return;
    arena.reset();
    this.#free.push(arena);
  }
}
