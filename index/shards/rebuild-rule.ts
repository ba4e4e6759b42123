import type { NativeShardStats } from "../../native/vector-index.js";

export interface RebuildLimits {
  /** A shard gets its first graph at so many rows; below it an exact scan is as fast. 10,000 by default. */
  readonly minRows: number;
  /** A rebuild is due at so many fresh entries ... 20,000 by default. */
  readonly freshCap: number;
  /** ... or at this share of the rows (but not below 1,000), whatever comes first. .2 by default. */
  readonly freshShare: number;
  /** Share of the graph's nodes that may have lost their vector. .2 by default. */
  readonly removedShare: number;
  /** Live recall below which the shard that changed most is rebuilt, once ef has no room left. .95 by default. */
  readonly targetRecall: number;
  /** It is rebuilt too when ef had to grow so many times since a graph was verified: a new one is cheaper to walk. 1.5 by default. */
  readonly efGrowth: number;
  /** For both, this share of its rows must have changed since its last swap: else a rebuild would change nothing. .1 by default. */
  readonly changedShare: number;
}

export const DEFAULT_LIMITS: RebuildLimits = {
  minRows: 10_000,
  freshCap: 20_000,
  freshShare: 0.2,
  removedShare: 0.2,
  targetRecall: 0.95,
  efGrowth: 1.5,
  changedShare: 0.1,
};

export type RebuildReason = "first" | "fresh" | "removed" | "recall" | "ef";

/** How live searches do. ef acts first: it helps at once, and a new graph only after its build. */
export interface LiveSearches {
  /** Undefined where it isn't measured. */
  readonly recall: number | undefined;
  /** Whether ef can go up yet. */
  readonly efHasRoom: boolean;
  /** ef now, over that at which the newest graph was good enough. */
  readonly efGrowth: number;
}

const FRESH_FLOOR = 1000;

/** Which shard is to be rebuilt next and why, the most urgent first; undefined where all are well. */
export function nextRebuild(
  shards: readonly NativeShardStats[],
  live: LiveSearches,
  limits: RebuildLimits,
): { shard: number; reason: RebuildReason } | undefined {
  const due = shards.flatMap((stats, shard) => {
    const found = dueFor(stats, limits);
    return found === undefined ? [] : [{ shard, ...found }];
  });
  due.sort((a, b) => b.urgency - a.urgency || a.shard - b.shard);
  const [first] = due;
  if (first !== undefined) return { shard: first.shard, reason: first.reason };
  const reason = strained(live, limits);
  if (reason === undefined) return undefined;
  const changed = shards.map((stats) => (stats.nodes === 0 || stats.rows === 0 ? 0 : stats.changed / stats.rows));
  const most = Math.max(...changed);
  return most < limits.changedShare ? undefined : { shard: changed.indexOf(most), reason };
}

function strained({ recall, efHasRoom, efGrowth }: LiveSearches, limits: RebuildLimits): "recall" | "ef" | undefined {
  if (efGrowth >= limits.efGrowth) return "ef";
  return recall !== undefined && recall < limits.targetRecall && !efHasRoom ? "recall" : undefined;
}

function dueFor(stats: NativeShardStats, limits: RebuildLimits): { reason: RebuildReason; urgency: number } | undefined {
  if (stats.nodes === 0) return stats.rows >= limits.minRows ? { reason: "first", urgency: stats.rows } : undefined;
  const mostFresh = Math.min(limits.freshCap, Math.max(FRESH_FLOOR, limits.freshShare * stats.rows));
  if (stats.fresh > mostFresh) return { reason: "fresh", urgency: stats.fresh };
  // A graph of nobody has nothing to be built from; it is walked over in no time.
  if (stats.removed > limits.removedShare * stats.nodes && stats.rows > 0) return { reason: "removed", urgency: stats.removed };
  return undefined;
}
