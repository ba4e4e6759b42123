import { typeOfId } from "../../schemas/event.js";
import type { ItemId } from "../../schemas/ids.js";
import type { Segments } from "./list-metrics.js";
import { listenersOf, type SharedRows } from "./shared-rows.js";

/** Types that a report tells apart, those with the most listeners; all others are one. */
const TOLD = 8;
const OTHERS = "other types";

/**
 * Items by type: that of their side information, else what the id says (`song:42` is a song). undefined where there is but one, and nothing
 * to tell apart.
 */
export function itemTypes(shared: SharedRows, typeOf: (item: ItemId) => string | undefined = () => undefined): Segments | undefined {
  const types = shared.items.map((item) => typeOf(item) ?? typeOfId(item) ?? "no type");
  const listeners = listenersOf(shared);
  const weights = new Map<string, number>();
  for (let row = 0; row < shared.known; row++) weights.set(types[row]!, (weights.get(types[row]!) ?? 0) + listeners[row]!);
  if (weights.size < 2) return undefined;
  const names = [...weights.keys()].sort((a, b) => weights.get(b)! - weights.get(a)! || (a < b ? -1 : 1));
  const told = names.length <= TOLD ? names : [...names.slice(0, TOLD - 1), OTHERS];
  const places = new Map(told.map((name, place) => [name, place]));
  return { names: told, segmentOf: Uint8Array.from(types, (type) => places.get(type) ?? told.length - 1) };
}
