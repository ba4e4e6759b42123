import fc from "fast-check";
import { expect, test } from "vitest";
import { NativeReadModel } from "../../../index/read-model/native-read-model.js";
import type { UserOrdinal } from "../../../schemas/ids.js";
import { hamming } from "../../harness/band-lookup.js";
import { replay, row } from "./random-batches.js";

const CAP = 3;
const BANDS = [0, 1, 2, 3] as const;
const blockOf = (band: number, fingerprint: bigint): bigint => (fingerprint >> BigInt(16 * band)) & 0xffffn;

interface Held {
  readonly fingerprint: bigint;
  /** When the user came into the bucket of each band. */
  readonly came: readonly number[];
}

/** What buckets ought to hold: who is in them, and in which order they came. */
class Buckets {
  readonly held = new Map<string, Held>();
  #clock = 0;

  set(id: string, fingerprint: bigint | null): void {
    const before = this.held.get(id);
    if (fingerprint === null) this.held.delete(id);
    else
      this.held.set(id, {
        fingerprint,
        came: BANDS.map((band) =>
          before && blockOf(band, before.fingerprint) === blockOf(band, fingerprint) ? (before.came[band] as number) : ++this.#clock,
        ),
      });
  }

  /** Users of one bucket, newest first. */
  bucket(band: number, fingerprint: bigint): string[] {
    const inside = [...this.held].filter(([, held]) => blockOf(band, held.fingerprint) === blockOf(band, fingerprint));
    return inside.sort(([, a], [, b]) => (b.came[band] as number) - (a.came[band] as number)).map(([id]) => id);
  }

  near(id: string, maxDistance: number, among: Iterable<string> = this.held.keys()): Map<string, number> {
    const own = (this.held.get(id) as Held).fingerprint;
    const all = [...among].map((other) => [other, hamming(own, (this.held.get(other) as Held).fingerprint)] as const);
    return new Map(all.filter(([other, distance]) => other !== id && distance <= maxDistance));
  }
}

// Two values of each block, so that buckets are hot, and at most one bit more.
const fingerprints = fc
  .record({ blocks: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), flip: fc.option(fc.integer({ min: 0, max: 63 })) })
  .map(({ blocks, flip }) =>
    blocks.reduce((all, on, band) => all | (on ? 5n << BigInt(16 * band) : 0n), flip === null ? 0n : 1n << BigInt(flip)),
  );
const names = fc.constantFrom(...Array.from({ length: 14 }, (_, i) => `u${i}`));
const batches = fc.array(
  fc.record({
    rows: fc.array(fc.tuple(names, fc.option(fingerprints, { freq: 8 })), { maxLength: 40 }),
    erased: fc.array(names, { maxLength: 2 }),
  }),
  { maxLength: 10 },
);

async function expectCapped(model: NativeReadModel, buckets: Buckets, id: string): Promise<void> {
  const { fingerprint } = buckets.held.get(id) as Held;
  const ordinal = model.userOrdinal(id as never) as UserOrdinal;
  for (const maxDistance of [0, 1, 2, 3]) {
    const near = await model.nearFingerprints(ordinal, maxDistance, 100);
    const found = model.userIds(near.ordinals);
    const all = buckets.near(id, maxDistance);
    expect(new Set(found).size).toBe(found.length);
    for (const [i, other] of found.entries()) expect(near.distances[i]).toBe(all.get(other as string));
    const looked = BANDS.map((band) => buckets.bucket(band, fingerprint));
    for (const bucket of looked)
      for (const other of buckets.near(id, maxDistance, bucket.slice(0, CAP)).keys()) expect(found).toContain(other);
    expect(near.truncated).toBe(looked.some((bucket) => bucket.length > CAP));
    if (!near.truncated) expect(found.length).toBe(all.size);
  }
  for (const maxDistance of [4, 17]) {
    const near = await model.nearFingerprints(ordinal, maxDistance, 100);
    expect(near.truncated).toBe(false);
    expect([...model.userIds(near.ordinals)].sort()).toEqual([...buckets.near(id, maxDistance).keys()].sort());
  }
}

test("however buckets fill, empty and are compacted, a capped search compares those who came last, and says when there are more", async () => {
  await fc.assert(
    fc.asyncProperty(batches, async (all) => {
      const model = NativeReadModel.create({ bucketCap: CAP });
      const buckets = new Buckets();
      try {
        for (const { rows, erased } of all) {
          for (const id of erased) buckets.set(id, null);
          for (const [id, fingerprint] of rows) buckets.set(id, fingerprint);
          replay(model, { kind: "apply", partition: 0, rows: rows.map(([id, fingerprint]) => row(id, {}, fingerprint)), erased });
          for (const id of buckets.held.keys()) await expectCapped(model, buckets, id);
        }
        const sizes = BANDS.flatMap((band) =>
          [...buckets.held.values()].map(({ fingerprint }) => buckets.bucket(band, fingerprint).length),
        );
        expect(model.stats().largestBucket).toBe(Math.max(0, ...sizes));
      } finally {
        model.close();
      }
    }),
    { numRuns: 60 },
  );
});

test("who came and went leaves room in the cap for those who stay", async () => {
  const model = NativeReadModel.create({ bucketCap: CAP });
  const apply = (ids: readonly string[], erased: readonly string[] = []) =>
    replay(model, { kind: "apply", partition: 0, rows: ids.map((id) => row(id, {}, 7n)), erased });
  apply(["a", "b", "c"]);
  // As many empty entries as are left before a bucket is compacted, newer than those who stay.
  const gone = Array.from({ length: 15 }, (_, i) => `gone ${i}`);
  apply(gone);
  apply([], gone);
  expect(model.stats().staleBandEntries).toBe(4 * 15);
  const near = await model.nearFingerprints(0 as UserOrdinal, 2, 10);
  expect(model.userIds(near.ordinals)).toEqual(["b", "c"]);
  expect(near.truncated).toBe(false);
  model.close();
});
