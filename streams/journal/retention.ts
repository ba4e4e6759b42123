import type { EpochMs, Offset } from "../../schemas/ids.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import { decodeBlock } from "./block.js";
import { META, numberKey, numberOf, numberValue } from "./journal-keys.js";

/**
 * Deletes the blocks wholly before `offset`. The new first position is durable before anything goes: a crash in between
 * leaves blocks that no reader looks at, and the next cut takes them along.
 * @param onFirst told the new first offset before the deletion, so that readers refuse what is about to go
 */
export async function cutBlocks(store: KeyValueStore, first: Offset, offset: Offset, onFirst: (first: Offset) => void): Promise<Offset> {
  const kept = await startOfBlock(store, offset);
  if (kept === undefined || kept <= first) return first;
  await store.batch([{ type: "put", key: META.first, value: numberValue(kept) }], { sync: true });
  onFirst(kept);
  const range = { gte: numberKey("r", 0), lt: numberKey("r", kept) };
  await store.clear(range);
  await store.compact(range.gte, range.lt);
  return kept;
}

/** First offset of the block that holds `offset`; `offset` itself when that block ends before it. */
async function startOfBlock(store: KeyValueStore, offset: Offset): Promise<Offset | undefined> {
  for await (const [key, value] of store.iterate({ gte: numberKey("r", 0), lte: numberKey("r", offset), reverse: true, limit: 1 })) {
    const start = numberOf(key);
    try {
      return (start + decodeBlock(value).length <= offset ? offset : start) as Offset;
    } catch {
      return start as Offset;
    }
  }
  return undefined;
}

/** The first offset in first..end that was accepted at `time` or later, by bisection over blocks; end + 1 when none was. */
export async function firstAcceptedFrom(store: KeyValueStore, first: Offset, end: Offset, time: EpochMs): Promise<Offset> {
  let [low, high] = [first as number, end + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const block = await blockAt(store, middle);
    if (block === undefined) {
      low = middle + 1;
      continue;
    }
    const found = block.acceptedAt.findIndex((at) => at >= time);
    if (found === 0) high = Math.min(middle, block.start);
    else if (found > 0) return Math.max(first, block.start + found) as Offset;
    else low = Math.max(middle + 1, block.start + block.acceptedAt.length);
  }
  return Math.min(low, end + 1) as Offset;
}

/** A block's times of acceptance; a damaged block counts as accepted whenever asked, so that a cut stops before it. */
async function blockAt(store: KeyValueStore, offset: number): Promise<{ start: number; acceptedAt: number[] } | undefined> {
  for await (const [key, value] of store.iterate({ gte: numberKey("r", 0), lte: numberKey("r", offset), reverse: true, limit: 1 })) {
    const start = numberOf(key);
    try {
      return { start, acceptedAt: decodeBlock(value).map(({ acceptedAt }) => acceptedAt) };
    } catch {
      return { start, acceptedAt: [Number.POSITIVE_INFINITY] };
    }
  }
  return undefined;
}
