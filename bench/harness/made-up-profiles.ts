import type { NativeReadModel } from "../../index/read-model/native-read-model.js";
import type { EpochMs, ItemId, Offset, Partition, UserId } from "../../schemas/ids.js";
import type { PublishedRow } from "../../schemas/ports/read-model.js";
import { seededRandom } from "../../test/harness/seeded-random.js";
import { userId } from "./built-shards.js";

const ROWS_A_BATCH = 10_000;
const CATALOGUE = 50_000;
const ITEMS = Array.from({ length: CATALOGUE }, (_, i) => `song:${i}` as ItemId);

/** Publishes `users` rows whose profiles name `items` of 50,000 each, a few of which half the town knows. */
export function publishProfiles(model: NativeReadModel, users: number, items: number, hasFingerprint: boolean): void {
  const random = seededRandom(21);
  const profile = (): ItemId[] => {
    const chosen = new Set<ItemId>();
    while (chosen.size < items) chosen.add(ITEMS[Math.floor(CATALOGUE ** (random(2 ** 24) / 2 ** 24)) - 1] as ItemId);
    return [...chosen];
  };
  const weights = Float32Array.from({ length: items }, (_, i) => 1 / (i + 1));
  const [partition, eventTime] = [0 as Partition, 0 as EpochMs];
  for (let first = 0; first < users; first += ROWS_A_BATCH) {
    const rows = Array.from(
      { length: Math.min(ROWS_A_BATCH, users - first) },
      (_, i): PublishedRow => ({
        user: userId(first + i) as UserId,
        fingerprintHi: random(2 ** 32),
        fingerprintLo: random(2 ** 32),
        hasFingerprint,
        events: items,
        updatedAt: eventTime,
        offset: (first + i) as Offset,
        items: profile(),
        weights,
      }),
    );
    model.apply({ partition, offset: users as Offset, eventTime, rows, erased: [] });
  }
  model.setApplied(partition, users as Offset, eventTime);
}
