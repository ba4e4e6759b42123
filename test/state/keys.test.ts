import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryReadModel } from "../../index/read-model/memory-read-model.js";
import { NativeReadModel } from "../../index/read-model/native-read-model.js";
import type { UserOrdinal } from "../../schemas/ids.js";
import { lookUpByBandKeys } from "../harness/band-lookup.js";
import { activate, catalogueOf, erase, event, positioned, TestPartition } from "./fold-fixture.js";

const users = fc.constantFrom("u1", "u2", "u10", "ü", "🎧", "v1", "v2", "v3");
// Few items, of which a user's strongest one makes the fingerprint: whoever shares it has the same, and some are near.
const records = fc.array(
  fc.oneof(
    { weight: 9, arbitrary: fc.tuple(users, fc.constantFrom("a", "b", "c")).map(([user, item]) => event(user, item, 1)) },
    { weight: 1, arbitrary: users.map((user) => erase(user, 2)) },
  ),
  { maxLength: 60 },
);
const ONE_KEYWORD = { keywords: { weights: {}, top: { tags: 1, creators: 1, items: 1 } } };

test("by the band keys alone the same neighbours are found as in memory, after any events and erasures", async () => {
  await fc.assert(
    fc.asyncProperty(records, fc.integer({ min: 1, max: 20 }), async (all, batchSize) => {
      const partition = await TestPartition.open([catalogueOf(1, ONE_KEYWORD)]);
      const bands = NativeReadModel.create();
      const oracle = new MemoryReadModel();
      try {
        await partition.run(positioned([activate(1), ...all]), batchSize);
        const at = { partition: partition.state.partition, offset: partition.state.appliedOffset, eventTime: 1 };
        for await (const { rows, erased } of partition.state.scanRows(100))
          for (const model of [bands, oracle]) model.apply({ ...at, rows, erased });
        for (const model of [bands, oracle])
          for (const [ordinal, user] of model.userIds(Uint32Array.from({ length: model.stats().users }, (_, i) => i)).entries())
            for (const distance of [0, 1, 2, 3]) {
              const near = await model.nearFingerprints(ordinal as UserOrdinal, distance, 100);
              const inMemory = model.userIds(near.ordinals).map((id, i) => [id, near.distances[i]]);
              const { found, comparisons } = await lookUpByBandKeys(partition.store, user, distance);
              expect([...found].sort()).toEqual(inMemory.sort());
              if (model === bands) expect(comparisons).toBe(near.candidates);
            }
      } finally {
        bands.close();
      }
    }),
    { numRuns: 60 },
  );
});
