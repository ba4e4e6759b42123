import { expect } from "vitest";
import type { FoldedBatch } from "../../schemas/ports/folded-batch.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import { Row } from "../../schemas/row.js";

/** Band keys as hex, which are to be exactly those of the rows' fingerprints. */
export async function bandsOf(store: KeyValueStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const [key] of store.iterate({ gte: Buffer.from("b"), lt: Buffer.from("c") })) keys.push(Buffer.from(key).toString("hex"));
  const expected: string[] = [];
  for await (const [key, value] of store.iterate({ gte: Buffer.from("r"), lt: Buffer.from("s") })) {
    const row = Row.decode(value);
    const user = Buffer.from(key.subarray(1)).toString("hex");
    const bits = [row.fingerprintLo & 0xffff, row.fingerprintLo >>> 16, row.fingerprintHi & 0xffff, row.fingerprintHi >>> 16];
    if (row.hasFingerprint) expected.push(...bits.map((block, i) => `620${i}${block.toString(16).padStart(4, "0")}${user}`));
  }
  expect(keys).toEqual(expected.sort());
  return keys;
}

/** Rows and tombstones byte for byte, but for ordinals of items: their ids instead. */
export async function rowsOf(store: KeyValueStore): Promise<Record<string, unknown>> {
  const items: string[] = [];
  for await (const [, value] of store.iterate({ gte: Buffer.from("i"), lt: Buffer.from("j") })) items.push(Buffer.from(value).toString());
  const rows: Record<string, unknown> = {};
  for await (const [key, value] of store.iterate({ gte: Buffer.from("r"), lt: Buffer.from("s") })) {
    const row = Row.decode(value);
    const profile = Array.from({ length: row.entryCount }, (_, i) => items[row.entryItem(i)]);
    for (let i = 0; i < row.entryCount; i++) row.setEntry(i, 0, row.entryWeight(i), row.entryTs(i));
    rows[Buffer.from(key).toString("hex")] = { profile, bytes: Buffer.from(row.encode()).toString("hex") };
  }
  for await (const [key, value] of store.iterate({ gte: Buffer.from("t"), lt: Buffer.from("u") }))
    rows[Buffer.from(key).toString("hex")] = Buffer.from(value).toString("hex");
  return rows;
}

/** What readers hold after batches of rows: by user, with the vectors. */
export class Readers {
  readonly users = new Map<string, unknown>();

  take(batch: Pick<FoldedBatch, "rows" | "erased" | "vectors">): void {
    for (const user of batch.erased) this.users.delete(user);
    for (const [i, row] of batch.rows.entries()) {
      const vectors = batch.vectors.map(({ generation, dims, values }) => [generation, [...values.subarray(i * dims, (i + 1) * dims)]]);
      this.users.set(row.user, { row, vectors });
    }
  }

  static async of(batches: AsyncIterable<Pick<FoldedBatch, "rows" | "erased" | "vectors">>): Promise<Readers> {
    const readers = new Readers();
    for await (const batch of batches) readers.take(batch);
    return readers;
  }

  get sorted(): unknown[] {
    return [...this.users].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}
