import type { ChangelogBatch, ChangelogReader, ChangelogRecord, ChangelogWriter } from "../../schemas/ports/changelog.js";

interface Kept extends ChangelogRecord {
  readonly offset: number;
}

/**
 * A changelog in memory, for tests, as Kafka would have it: a place for each record and one more for the end of each transaction;
 * compaction leaves the newest record of each key at its place.
 */
export class MemoryChangelog implements ChangelogWriter, ChangelogReader {
  #records: Kept[] = [];
  #end = 0;
  /** Deletes below it may be gone: whoever read less has to begin anew. */
  deletesFrom = 0;
  /** Thrown instead of writing. */
  refusal: unknown;
  writes = 0;

  get end(): number {
    return this.#end;
  }

  get records(): readonly ChangelogRecord[] {
    return this.#records;
  }

  async write(records: readonly ChangelogRecord[]): Promise<number> {
    // As over a network: it takes a while.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.refusal !== undefined) throw this.refusal;
    this.writes += 1;
    for (const { key, value } of records)
      this.#records.push({ offset: this.#end++, key: Uint8Array.from(key), value: value === null ? null : Uint8Array.from(value) });
    this.#end += 1;
    return this.#end;
  }

  /** Compacts what lies below `before`. */
  compact(before: number, options: { readonly dropDeletes: boolean }): void {
    const newest = new Map(
      this.#records.filter(({ offset }) => offset < before).map(({ key, offset }) => [Buffer.from(key).toString("latin1"), offset]),
    );
    this.#records = this.#records.filter(
      ({ key, value, offset }) =>
        offset >= before || (newest.get(Buffer.from(key).toString("latin1")) === offset && !(options.dropDeletes && value === null)),
    );
    if (options.dropDeletes) this.deletesFrom = Math.max(this.deletesFrom, before);
  }

  async *read(from: number): AsyncGenerator<ChangelogBatch> {
    yield { records: this.#records.filter(({ offset }) => offset >= from), next: this.#end };
  }

  /** What follows `from`, cut after `size` records each, wherever that is. */
  *slices(from: number, size: number): Generator<ChangelogBatch> {
    const records = this.#records.filter(({ offset }) => offset >= from);
    for (let at = 0; at < records.length; at += size) {
      const some = records.slice(at, at + size);
      yield { records: some, next: at + size < records.length ? (some.at(-1) as Kept).offset + 1 : this.#end };
    }
    if (records.length === 0) yield { records: [], next: this.#end };
  }
}
