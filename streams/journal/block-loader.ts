import { KindredError } from "../../schemas/errors.js";
import type { Offset } from "../../schemas/ids.js";
import type { PayloadCipher, SourceRecord } from "../../schemas/ports/event-log.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import { type BlockRecord, decodeBlock, MAX_BLOCK_RECORDS } from "./block.js";
import { numberKey, numberOf } from "./journal-keys.js";
import type { PayloadKeys } from "./payload-keys.js";

/** Opened records of one or more blocks: everything in after + 1..through, ascending. */
export interface LoadedRun {
  readonly after: Offset;
  readonly through: Offset;
  readonly records: readonly SourceRecord[];
}

interface StoredBlock {
  readonly first: number;
  readonly value: Uint8Array;
}

/** A stretch of offsets whose records are sealed, or whose bytes are damaged or gone. */
interface Stretch {
  readonly first: number;
  readonly through: number;
  readonly sealed?: readonly BlockRecord[];
  readonly damage?: string;
}

/** Most blocks read at once, and the bytes of them that are aimed at. */
const MAX_BLOCKS = 256;
const AIMED_BYTES = 4 << 20;

/** Reads and opens blocks; what is damaged becomes a record that says so, and what follows is read on. */
export class BlockLoader {
  readonly #store: KeyValueStore;
  readonly #cipher: PayloadCipher;
  readonly #keys: PayloadKeys;
  /** A block begins right after this offset: no need to seek the one that holds a position. */
  #aligned = 0;
  /** How many blocks to read next, by the size of those before: a block may be one record or 1 MiB. */
  #blocks = 4;

  constructor(store: KeyValueStore, cipher: PayloadCipher, keys: PayloadKeys) {
    this.#store = store;
    this.#cipher = cipher;
    this.#keys = keys;
  }

  /**
   * The blocks from the one that holds `after + 1` on, about as many as hold `wanted` records.
   * @param end newest acknowledged offset, > after
   */
  async load(after: Offset, end: Offset, wanted: number): Promise<LoadedRun> {
    const blocks = await this.#readOrSkip(after, end);
    this.#adapt(blocks, wanted);
    const stretches = await this.#stretches(after, end, blocks);
    const through = (stretches[stretches.length - 1]?.through ?? end) as Offset;
    this.#aligned = through;
    const first = stretches[0]?.first ?? after + 1;
    return { after: Math.min(after, first - 1) as Offset, through, records: await this.#open(stretches) };
  }

  /** Blocks from the position on; none where the store itself cannot read there: then everything to the next readable one is lost. */
  async #readOrSkip(after: Offset, end: Offset): Promise<StoredBlock[]> {
    for (const limit of [this.#blocks, 1]) {
      try {
        return await this.#read(await this.#startOf(after), end, limit);
      } catch (error) {
        if (!isDamage(error)) throw error;
      }
    }
    return this.#read(await this.#nextReadable(after, end), end, 1);
  }

  async #startOf(after: Offset): Promise<number> {
    if (after === this.#aligned) return after + 1;
    for await (const [key] of this.#store.iterate({ gte: numberKey("r", 0), lte: numberKey("r", after + 1), reverse: true, limit: 1 }))
      return numberOf(key);
    return after + 1;
  }

  async #read(from: number, end: Offset, limit: number): Promise<StoredBlock[]> {
    const blocks: StoredBlock[] = [];
    for await (const [key, value] of this.#store.iterate({ gte: numberKey("r", from), lte: numberKey("r", end), limit }))
      blocks.push({ first: numberOf(key), value });
    return blocks;
  }

  /**
   * The lowest offset from which the store reads again. A read seeks the first block from an offset on, so it fails up to the
   * damaged one and works behind it: bisection.
   */
  async #nextReadable(after: Offset, end: Offset): Promise<number> {
    const readable = async (from: number): Promise<boolean> => {
      try {
        await this.#read(from, end, 1);
        return true;
      } catch (error) {
        if (isDamage(error)) return false;
        throw error;
      }
    };
    let low = after + 1;
    let high = low;
    for (let step = MAX_BLOCK_RECORDS; high <= end && !(await readable(high)); step *= 2) {
      low = high + 1;
      high += step;
    }
    high = Math.min(high, end + 1);
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (await readable(middle)) high = middle;
      else low = middle + 1;
    }
    return high;
  }

  async #stretches(after: Offset, end: Offset, blocks: readonly StoredBlock[]): Promise<Stretch[]> {
    const stretches: Stretch[] = [];
    let next = after + 1;
    for (const [i, { first, value }] of blocks.entries()) {
      if (first > next) stretches.push({ first: next, through: first - 1, damage: "records are missing" });
      try {
        const sealed = decodeBlock(value);
        next = first + sealed.length;
        // The block before the position, where the one that should hold it is gone.
        if (next <= after + 1) next = after + 1;
        else stretches.push({ first, through: next - 1, sealed });
      } catch (error) {
        const following = blocks[i + 1]?.first ?? (await this.#firstAfter(first, end));
        if (following > after + 1) stretches.push({ first: Math.max(first, after + 1), through: following - 1, damage: messageOf(error) });
        next = Math.max(following, after + 1);
      }
    }
    if (stretches.length === 0) {
      const following = await this.#firstAfter(after, end);
      stretches.push({ first: after + 1, through: following - 1, damage: "records are missing" });
    }
    return stretches;
  }

  /** First offset of the first block that begins after `first`; end + 1 when there is none, or it cannot be read. */
  async #firstAfter(first: number, end: Offset): Promise<number> {
    try {
      return (await this.#read(first + 1, end, 1))[0]?.first ?? end + 1;
    } catch (error) {
      if (!isDamage(error)) throw error;
      return (await this.#read(await this.#nextReadable(first as Offset, end), end, 1))[0]?.first ?? end + 1;
    }
  }

  /** One call of the cipher for all. */
  async #open(stretches: readonly Stretch[]): Promise<SourceRecord[]> {
    const sealed = stretches.flatMap((stretch) => stretch.sealed ?? []);
    const keyOf = await this.#keys.ofRefs(new Set(sealed.map(({ keyRef }) => keyRef)));
    const keys: Uint8Array[] = [];
    const nonces: number[] = [];
    const payloads: Uint8Array[] = [];
    for (const { first, sealed: records } of stretches)
      records?.forEach((record, i) => {
        const key = keyOf.get(record.keyRef);
        if (key === undefined) return;
        keys.push(key);
        nonces.push(first + i);
        payloads.push(record.sealed);
      });
    const opened = this.#cipher.open(keys, nonces, payloads);
    let at = 0;
    return stretches.flatMap(({ first, through, sealed: records, damage }) => {
      if (records === undefined) return [damagedRecord(first, through, damage ?? "unreadable", 0)];
      return records.map(({ keyRef, acceptedAt }, i): SourceRecord => {
        const offset = (first + i) as Offset;
        // No key: an erasure dropped it.
        if (keyOf.get(keyRef) === undefined) return { offset, bytes: null, acceptedAt };
        const bytes = opened[at++] ?? null;
        return bytes === null
          ? damagedRecord(offset, offset, "the record was changed: its seal does not fit", acceptedAt)
          : { offset, bytes, acceptedAt };
      });
    });
  }

  #adapt(blocks: readonly StoredBlock[], wanted: number): void {
    if (blocks.length === 0) return;
    const bytes = blocks.reduce((sum, { value }) => sum + value.length, 0) / blocks.length;
    // A sealed record takes at least some 80 bytes of its block.
    const byRecords = Math.ceil(wanted / Math.max(1, bytes / 80));
    this.#blocks = Math.max(1, Math.min(MAX_BLOCKS, byRecords, Math.floor(AIMED_BYTES / bytes)));
  }
}

const damagedRecord = (first: number, through: number, message: string, acceptedAt: number): SourceRecord => ({
  offset: first as Offset,
  bytes: null,
  acceptedAt,
  damage: { message, through: through as Offset },
});

const isDamage = (error: unknown): boolean =>
  error instanceof KindredError && (error.code === "JOURNAL_CORRUPT" || error.code === "STATE_CORRUPT");
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
