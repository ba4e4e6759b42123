import { expect, it } from "vitest";
import { HotBuckets } from "../../../cli/wiring/hot-buckets.js";

it("tells of hot buckets at the first and whenever they have doubled, however often it looks", () => {
  const told: object[] = [];
  const hot = new HotBuckets(100, { warn: (fields) => told.push(fields) });
  for (const bucketsOverCap of [0, 1, 1, 0, 1, 0, 2, 3, 1, 4, 5, 7, 8, 7])
    hot.look({ bucketsOverCap, largestBucket: 150, staleEntries: 3 });
  expect(told).toEqual([1, 2, 4, 8].map((bucketsOverCap) => ({ bucketsOverCap, largestBucket: 150, bucketCap: 100 })));
});
