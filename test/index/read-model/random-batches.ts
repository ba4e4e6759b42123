import fc from "fast-check";
import { expect } from "vitest";
import type { ReadModelLimits } from "../../../index/read-model/read-model-limits.js";
import type { ItemId, ItemOrdinal, Offset, Partition, UserId, UserOrdinal } from "../../../schemas/ids.js";
import type { PublishedRow, ReadModelReader, ReadModelWriter } from "../../../schemas/ports/read-model.js";

export const user = (id: string): UserId => id as UserId;
export const item = (id: string): ItemId => id as ItemId;

/** So small that a few batches run over them. */
export const SMALL_LIMITS: Partial<ReadModelLimits> = { listenersPerItem: 5, listenersPerSeed: 3, recentPublications: 6 };

/** A published row; weights by item, the fingerprint as one number (null: none). */
export function row(
  id: string,
  weights: Record<string, number>,
  fingerprint: bigint | null = null,
  rest: { events?: number; updatedAt?: number; offset?: number } = {},
): PublishedRow {
  const bits = fingerprint ?? 0n;
  return {
    user: user(id),
    fingerprintHi: Number(bits >> 32n),
    fingerprintLo: Number(bits & 0xffff_ffffn),
    hasFingerprint: fingerprint !== null,
    events: rest.events ?? 1,
    updatedAt: rest.updatedAt ?? 1000,
    offset: (rest.offset ?? 1) as Offset,
    items: Object.keys(weights).map(item),
    weights: Float32Array.from(Object.values(weights)),
  };
}

export type Step =
  | { readonly kind: "apply"; readonly partition: number; readonly rows: readonly PublishedRow[]; readonly erased: readonly string[] }
  | { readonly kind: "applied"; readonly partition: number; readonly offset: number; readonly eventTime: number }
  | { readonly kind: "info"; readonly items: readonly string[]; readonly json: readonly string[] };

export function replay(model: ReadModelWriter, step: Step): Uint32Array {
  const partition = ("partition" in step ? step.partition : 0) as Partition;
  if (step.kind === "apply")
    return model.apply({ partition, offset: 1 as Offset, eventTime: 1, rows: step.rows, erased: step.erased.map(user) });
  if (step.kind === "applied") model.setApplied(partition, step.offset as Offset, step.eventTime);
  else model.putItemInfo(step.items.map(item), step.json);
  return new Uint32Array();
}

// Few names, so that rows meet; some differ only in their order under UTF-8 and UTF-16.
const USERS = ["u1", "u2", "u3", "u10", "u", "é", "\uffee", "🎧", "v1", "v2", "v3", "v4"];
const ITEMS = ["a", "b", "c", "ab", "song:1", "song:2", "音", "\uffee", "🎧"];
// Near one another in ways that cross the borders of the 16-bit blocks.
const fingerprints = fc.oneof(
  fc.constant(null),
  fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 4 }).map((bits) => bits.reduce((f, bit) => f | (1n << BigInt(bit)), 0n)),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);
const weight = fc.oneof(fc.constantFrom(1, 2, 0.5, -1, 0), fc.float({ min: -100, max: 100, noNaN: true }));
const rows = fc
  .record({
    id: fc.constantFrom(...USERS),
    items: fc.uniqueArray(fc.tuple(fc.constantFrom(...ITEMS), weight), { selector: ([name]) => name }),
    fingerprint: fingerprints,
    events: fc.nat(),
    offset: fc.nat(),
  })
  .map(({ id, items, fingerprint, ...rest }) => row(id, Object.fromEntries(items), fingerprint, rest));
const partitions = fc.integer({ min: 0, max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("apply" as const),
      partition: partitions,
      rows: fc.array(rows, { maxLength: 8 }),
      erased: fc.array(fc.constantFrom(...USERS), { maxLength: 1 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("applied" as const), partition: partitions, offset: fc.nat(), eventTime: fc.nat() }),
  },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.tuple(fc.constantFrom(...ITEMS, "only info"), fc.string({ unit: "grapheme" })), { maxLength: 3 })
      .map((info) => ({ kind: "info" as const, items: info.map(([i]) => i), json: info.map(([, j]) => j) })),
  },
);

/** Random batches, positions and side information. */
export const steps: fc.Arbitrary<Step[]> = fc.array(step, { maxLength: 12 });

/** Asks both everything. */
export async function expectSameAnswers(model: ReadModelReader, oracle: ReadModelReader): Promise<void> {
  for (const id of [...USERS, "nobody"].map(user)) {
    expect(model.user(id)).toEqual(oracle.user(id));
    expect(model.userOrdinal(id)).toEqual(oracle.userOrdinal(id));
  }
  for (const id of [...ITEMS, "only info", "nothing"].map(item)) {
    expect(model.item(id)).toEqual(oracle.item(id));
    expect(model.itemOrdinal(id)).toEqual(oracle.itemOrdinal(id));
  }
  expect(model.applied()).toEqual(oracle.applied());
  expect(model.itemCount()).toBe(oracle.itemCount());
  for (const limit of [0, 2, 100]) {
    expect(model.popularItems(limit)).toEqual(oracle.popularItems(limit));
    expect(model.recentUsers(limit)).toEqual(oracle.recentUsers(limit));
    for (let item = 0 as ItemOrdinal; item < oracle.itemCount(); item++)
      expect(model.listenersOf(item, limit)).toEqual(oracle.listenersOf(item, limit));
  }
  const { users, items, fingerprints } = oracle.stats();
  expect(model.stats()).toMatchObject({ users, items, fingerprints });
  await expectSameRecall(
    model,
    oracle,
    ordinalsBelow((o) => oracle.userIds(o)),
    ordinalsBelow((o) => oracle.itemIds(o)),
  );
}

/** All ordinals given so far: those that are not refused. */
function ordinalsBelow(resolve: (ordinals: Uint32Array) => string[]): Uint32Array {
  let size = 0;
  try {
    for (;;) resolve(Uint32Array.of(size++));
  } catch {
    return Uint32Array.from({ length: size - 1 }, (_, i) => i);
  }
}

async function expectSameRecall(model: ReadModelReader, oracle: ReadModelReader, users: Uint32Array, items: Uint32Array): Promise<void> {
  expect(model.userIds(users)).toEqual(oracle.userIds(users));
  expect(model.itemIds(items)).toEqual(oracle.itemIds(items));
  expect(model.itemInfoJson(items)).toEqual(oracle.itemInfoJson(items));
  for (const one of users) {
    expect(model.profile(one as UserOrdinal)).toEqual(oracle.profile(one as UserOrdinal));
    expect(model.fingerprintDistances(one as UserOrdinal, users)).toEqual(oracle.fingerprintDistances(one as UserOrdinal, users));
    for (const [distance, limit] of [
      [0, 9],
      [2, 9],
      [3, 1],
      [3, 99],
      [4, 99],
      [64, 5],
    ] as const) {
      const { candidates: _, ...near } = await model.nearFingerprints(one as UserOrdinal, distance, limit);
      expect(near).toEqual(
        (({ candidates: _, ...expected }) => expected)(await oracle.nearFingerprints(one as UserOrdinal, distance, limit)),
      );
    }
  }
  const twice = Uint32Array.of(...users, ...users.subarray(0, 2));
  const scores = Float32Array.from(twice, (_, i) => ((i * 7) % 5) / 3 - 0.3);
  const weights = Float32Array.from(items, (_, i) => ((i * 5) % 4) / 3 - 0.2);
  for (const [exclude, limit] of [
    [items.subarray(0, 0), 99],
    [items.subarray(1, 3), 4],
    [items, 4],
  ] as const) {
    expect(await model.itemsOfNeighbors(twice, scores, exclude, limit)).toEqual(
      await oracle.itemsOfNeighbors(twice, scores, exclude, limit),
    );
    for (let from = 0; from < items.length; from += 2) {
      const [seeds, w] = [items.subarray(from, from + 3), weights.subarray(from, from + 3)];
      expect(await model.coOccurring(seeds, w, exclude, limit)).toEqual(await oracle.coOccurring(seeds, w, exclude, limit));
    }
  }
}
