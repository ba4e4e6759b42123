import { KindredError } from "../../schemas/errors.js";
import { coOccurringItems } from "./co-occurring-items.js";
import { fingerprintNeighbors } from "./fingerprint-neighbors.js";
import { itemsAlike } from "./items-alike.js";
import { itemsByVector } from "./items-by-vector.js";
import { itemsOfNeighbors } from "./items-of-neighbors.js";
import { popularItems } from "./popular-items.js";
import type { Mode, RecallStep } from "./recall-step.js";
import { recentUsers } from "./recent-users.js";
import { vectorNeighbors } from "./vector-neighbors.js";

export interface Scenario {
  readonly name: string;
  readonly mode: Mode;
  /** The parameter that it is asked with. */
  readonly needs: "user" | "item";
  /** Tried in order; the first that finds anything answers. */
  readonly ladder: readonly RecallStep[];
}

const BUILT_IN: readonly Scenario[] = [
  { name: "u2u", mode: "u2u", needs: "user", ladder: [vectorNeighbors, fingerprintNeighbors, recentUsers] },
  { name: "u2i", mode: "u2i", needs: "user", ladder: [itemsByVector, coOccurringItems, popularItems] },
  { name: "i2i", mode: "i2i", needs: "item", ladder: [itemsAlike, coOccurringItems, popularItems] },
  { name: "u2u2i", mode: "u2u2i", needs: "user", ladder: [itemsOfNeighbors, coOccurringItems, popularItems] },
];

const byName = new Map(BUILT_IN.map((scenario) => [scenario.name, scenario]));

export const scenarios = (): readonly Scenario[] => BUILT_IN;

/** @throws KindredError UNKNOWN_SCENARIO */
export function scenarioOf(name: string): Scenario {
  const scenario = byName.get(name);
  if (scenario === undefined)
    throw new KindredError("UNKNOWN_SCENARIO", `no scenario is called ${name.slice(0, 64)}; there are ${[...byName.keys()].join(", ")}`);
  return scenario;
}
