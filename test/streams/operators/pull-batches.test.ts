import fc from "fast-check";
import { Subscription } from "rxjs";
import { describe, expect, it } from "vitest";
import type { Offset, Partition } from "../../../schemas/ids.js";
import type { LogReader, ReadOptions, SourceBatch } from "../../../schemas/ports/event-log.js";
import type { PulledBatch } from "../../../streams/operators/batches.js";
import { pullBatches } from "../../../streams/operators/pull-batches.js";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A log of `length` records that counts how often it was asked; it ends, or waits for an abort. */
class CountingReader implements LogReader {
  reads = 0;
  waiting = 0;
  readonly waitMs: (number | undefined)[] = [];

  constructor(
    readonly length: number,
    readonly ends: boolean,
  ) {}

  async read(after: Offset, { maxRecords, signal, waitMs }: ReadOptions): Promise<SourceBatch | null> {
    this.reads++;
    this.waitMs.push(waitMs);
    if (after >= this.length) {
      if (this.ends) return null;
      if (waitMs === 0) return { partition: 0 as Partition, records: [], endOffset: after };
      this.waiting++;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      this.waiting--;
      return null;
    }
    const end = Math.min(after + maxRecords, this.length);
    const records = Array.from({ length: end - after }, (_, i) => ({ offset: (after + i + 1) as Offset, bytes: null, acceptedAt: 0 }));
    return { partition: 0 as Partition, records, endOffset: end as Offset };
  }
}

describe("pullBatches", () => {
  it("never has more batches under way than credits, and delivers every record once and in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 0, max: 60 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 30 }),
        async (credits, maxRecords, length, choices) => {
          const reader = new CountingReader(length, true);
          const underWay: PulledBatch[] = [];
          const offsets: number[] = [];
          let most = 0;
          let completed = false;
          pullBatches(reader, { from: 0 as Offset, credits, maxRecords }).subscribe({
            next: (pulled) => {
              underWay.push(pulled);
              most = Math.max(most, underWay.length);
              for (const { offset } of pulled.batch.records) offsets.push(offset);
            },
            complete: () => {
              completed = true;
            },
          });
          for (let i = 0; !completed && i < 1000; i++) {
            await turn();
            expect(reader.reads).toBeLessThanOrEqual(offsets.length + 1);
            // Acknowledged in any order, and twice: the second time changes nothing.
            const [done] = underWay.splice((choices[i % choices.length] as number) % Math.max(1, underWay.length), 1);
            done?.acknowledge();
            done?.acknowledge();
          }
          expect(completed).toBe(true);
          expect(most).toBeLessThanOrEqual(credits);
          expect(offsets).toEqual(Array.from({ length }, (_, i) => i + 1));
        },
      ),
      { numRuns: 100 },
    );
  });

  it("asks for nothing more once it is unsubscribed, and lets the waiting read go", async () => {
    const reader = new CountingReader(4, false);
    const subscription = new Subscription();
    subscription.add(pullBatches(reader, { from: 0 as Offset, credits: 2, maxRecords: 4 }).subscribe());
    await turn();
    expect(reader.waiting).toBe(1);
    subscription.unsubscribe();
    await turn();
    expect(reader).toMatchObject({ waiting: 0, reads: 2 });
  });

  it("completes when told to stop, without a batch more", async () => {
    const reader = new CountingReader(100, false);
    const abort = new AbortController();
    const seen: number[] = [];
    let completed = false;
    pullBatches(reader, { from: 0 as Offset, credits: 1, maxRecords: 10, signal: abort.signal }).subscribe({
      next: ({ batch }) => seen.push(batch.endOffset),
      complete: () => {
        completed = true;
      },
    });
    await turn();
    abort.abort();
    await turn();
    expect({ seen, completed, reads: reader.reads }).toEqual({ seen: [10], completed: true, reads: 1 });
  });

  it("leaves a patient read when there is other work, and goes on by itself until it is done", async () => {
    const reader = new CountingReader(1, false);
    let work = 0;
    const empty: number[] = [];
    const subscription = pullBatches(reader, { from: 0 as Offset, credits: 2, maxRecords: 1, hurry: () => work > 0 }).subscribe(
      ({ batch, acknowledge }) => {
        if (batch.records.length > 0) {
          // The batch brought work along while the next read is already waiting.
          setImmediate(() => {
            work = 5;
            acknowledge();
          });
        } else {
          empty.push(batch.endOffset);
          work--;
          setImmediate(acknowledge);
        }
      },
    );
    for (let i = 0; i < 20; i++) await turn();
    expect(empty.length).toBeGreaterThanOrEqual(5);
    expect(reader.waiting).toBe(1);
    expect(reader.waitMs.at(-1)).toBeUndefined();
    subscription.unsubscribe();
  });

  it("passes an error of the reader on", async () => {
    const reader: LogReader = { read: () => Promise.reject(new Error("gone")) };
    const error = await new Promise((resolve) => {
      pullBatches(reader, { from: 0 as Offset, credits: 1, maxRecords: 1 }).subscribe({ error: resolve });
    });
    expect(error).toMatchObject({ message: "gone" });
  });
});
