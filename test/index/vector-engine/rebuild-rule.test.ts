import { expect, it } from "vitest";
import { DEFAULT_LIMITS, nextRebuild } from "../../../index/vector-engine/rebuild-rule.js";
import type { NativeShardStats } from "../../../native/vector-index.js";

const good: NativeShardStats = { rows: 50_000, nodes: 50_000, fresh: 0, drifted: 0, removed: 0, changed: 0, building: false };
const next = (shards: Partial<NativeShardStats>[], recall?: number): unknown =>
  nextRebuild(
    shards.map((shard) => ({ ...good, ...shard })),
    recall,
    DEFAULT_LIMITS,
  );

it("leaves shards alone that are well", () => {
  expect(next([{}, { fresh: 9_000, removed: 9_000, changed: 10_000_000 }], 0.97)).toBeUndefined();
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

it("rebuilds the shard that changed most when live recall falls, unless none has changed", () => {
  expect(next([{ changed: 6_000 }, { changed: 8_000 }], 0.94)).toEqual({ shard: 1, reason: "recall" });
  expect(next([{ changed: 4_000 }, {}], 0.5)).toBeUndefined();
});
