import type { Offset } from "../../schemas/ids.js";
import type { SourceRecord } from "../../schemas/ports/event-log.js";

/**
 * The newest records in memory, unsealed, bounded: a pipeline that keeps up reads what was just acknowledged from here and
 * not from the store. Offsets are dense: a record for each of `after + 1` to the end.
 */
export class RecentRecords {
  readonly #maxBytes: number;
  #records: SourceRecord[] = [];
  #head = 0;
  #bytes = 0;
  /** Offset before the first record held. */
  #after: number;

  constructor(after: Offset, maxBytes: number) {
    this.#after = after;
    this.#maxBytes = maxBytes;
  }

  push(records: readonly SourceRecord[]): void {
    for (const record of records) {
      this.#records.push(record);
      this.#bytes += costOf(record);
    }
    while (this.#bytes > this.#maxBytes) this.#dropOldest();
    this.#shrink();
  }

  /** Drops what the pipeline has applied: nobody is expected to ask for it again, and old objects are what garbage collection costs. */
  dropThrough(applied: Offset): void {
    while (this.#after < applied && this.#head < this.#records.length) this.#dropOldest();
    this.#shrink();
  }

  #dropOldest(): void {
    this.#bytes -= costOf(this.#records[this.#head] as SourceRecord);
    this.#head++;
    this.#after++;
  }

  #shrink(): void {
    if (this.#head > 1024 && this.#head * 2 > this.#records.length) {
      this.#records = this.#records.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Drops everything: the records that come next follow `after`. */
  restart(after: Offset): void {
    this.#records = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#after = after;
  }

  /** At most `max` records that follow `after`; undefined when the first of them is not held. */
  take(after: Offset, max: number): SourceRecord[] | undefined {
    const start = this.#head + (after - this.#after);
    if (after < this.#after || start >= this.#records.length) return undefined;
    return this.#records.slice(start, start + max);
  }
}

/** Bytes in memory, roughly: the payload, its view and the record object. */
const costOf = (record: SourceRecord): number => 200 + (record.bytes?.length ?? 0);
