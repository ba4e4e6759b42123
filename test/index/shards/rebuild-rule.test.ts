import { expect, it } from "vitest";
import { DEFAULT_LIMITS, type LiveSearches, nextRebuild } from "../../../index/shards/rebuild-rule.js";
import type { NativeShardStats } from "../../../native/vector-index.js";

const good: NativeShardStats = { rows: 50_000, nodes: 50_000, fresh: 0, drifted: 0, removed: 0, changed: 0, building: false };
const next = (shards: Partial<NativeShardStats>[], live: Partial<LiveSearches> = {}): unknown =>
  nextRebuild(
    shards.map((shard) => ({ ...good, ...shard })),
    { recall: undefined, efHasRoom: false, efGrowth: 1, ...live },
    DEFAULT_LIMITS,
  );

it("leaves shards alone that are well", () => {
  expect(next([{}, { fresh: 9_000, removed: 9_000, changed: 10_000_000 }], { recall: 0.97 })).toBeUndefined();
});

it("builds the first graph when an exact scan is no longer as fast", () => {
  expect(next([{ rows: 9_999, nodes: 0, fresh: 9_999 }])).toBeUndefined();
  expect(next([{ rows: 10_000, nodes: 0, fresh: 10_000 }])).toEqual({ shard: 0, reason: "first" });
});

it("rebuilds when the fresh list passes its share, its cap or, in a small shard, its floor", () => {
  expect(next([{}, { fresh: 10_001 }])).toEqual({ shard: 1, reason: "fresh" });
  expect(next([{ rows: 1_000_000, fresh: 20_001 }])).toEqual({ shard: 0, reason: "fresh" });
  expect(next([{ rows: 2_000, nodes: 2_000, fresh: 1_000 }])).toBeUndefined();
});

it("rebuilds when many owners have gone, but not for nobody", () => {
  expect(next([{ removed: 10_001 }])).toEqual({ shard: 0, reason: "removed" });
  expect(next([{ rows: 0, removed: 50_000 }])).toBeUndefined();
});

it("takes the most urgent first", () => {
  expect(next([{ fresh: 11_000 }, { fresh: 15_000 }, { rows: 12_000, nodes: 0 }])).toEqual({ shard: 1, reason: "fresh" });
});

it("rebuilds the shard that changed most when live recall falls at the widest ef, unless none has changed", () => {
  expect(next([{ changed: 6_000 }, { changed: 8_000 }], { recall: 0.94 })).toEqual({ shard: 1, reason: "recall" });
  expect(next([{ changed: 4_000 }, {}], { recall: 0.5 })).toBeUndefined();
});

it("leaves recall to ef while that has room, and rebuilds once it had to grow by half", () => {
  const changed = [{ changed: 6_000 }, { changed: 8_000 }];
  expect(next(changed, { recall: 0.94, efHasRoom: true, efGrowth: 1.49 })).toBeUndefined();
  expect(next(changed, { recall: 0.96, efHasRoom: true, efGrowth: 1.5 })).toEqual({ shard: 1, reason: "ef" });
  expect(next([{ changed: 4_000 }, {}], { recall: 0.96, efHasRoom: true, efGrowth: 3 })).toBeUndefined();
  expect(next([{ changed: 6_000 }, { fresh: 10_001 }], { efGrowth: 3 })).toEqual({ shard: 1, reason: "fresh" });
});
