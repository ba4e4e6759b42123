import type { Segments } from "./list-metrics.js";
import { includes } from "./rank-all.js";
import type { SplitFigures } from "./report.js";
import type { Segment } from "./segments.js";
import type { SharedRows } from "./shared-rows.js";

const lengths = (lists: readonly Uint32Array[]): number => lists.reduce((sum, list) => sum + list.length, 0);

/** How large a split is, and how much of its test nobody can find. */
export function splitFigures(shared: SharedRows, segments: Segments<Segment>, listeners: Uint32Array): SplitFigures {
  const { wanted, histories, tested } = shared;
  const seen = wanted.map((rows, q) => rows.filter((row) => includes(histories[tested[q]!]!, row)));
  const unheard = wanted.map((rows) => rows.filter((row) => listeners[row] === 0));
  const parts = segments.names.map((name, s): [Segment, { items: number; interactions: number }] => {
    const rows = Uint32Array.from(listeners.keys()).filter((row) => row < shared.known && segments.segmentOf[row] === s);
    return [name, { items: rows.length, interactions: rows.reduce((sum, row) => sum + listeners[row]!, 0) }];
  });
  return {
    users: histories.length,
    items: shared.known,
    trainInteractions: lengths(histories),
    testInteractions: lengths(wanted),
    testedUsers: tested.length,
    testableUsers: shared.testable,
    usersWithoutHistory: shared.withoutHistory,
    testOfNewItems: lengths(unheard),
    testOfKnownItems: lengths(seen),
    segments: Object.fromEntries(parts) as Record<Segment, { items: number; interactions: number }>,
  };
}
