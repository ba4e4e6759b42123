import type { Static } from "typebox";
import type { Explanation } from "../../../schemas/http.js";
import type { ItemId, UserId } from "../../../schemas/ids.js";
import type { StateOwner } from "../../../schemas/ports/admin.js";
import type { Ask, Found } from "../recall-step.js";

/** Why one result is there; `score` where the source's score had to be taken anew, because vectors moved meanwhile. */
export interface Explained {
  readonly explanation: Static<typeof Explanation>;
  readonly score?: number;
}

export interface ExplainContext {
  readonly ask: Ask;
  readonly found: Found;
  /** Of `found.ordinals`. */
  readonly ids: readonly (UserId | ItemId)[];
  readonly owner: Pick<StateOwner, "profile">;
  /** As answers name the item: its title, where known. */
  readonly titleOf: (item: ItemId) => string | undefined;
  readonly typeOf: (item: ItemId) => string;
}

/** Explains all results of one method, in their order. */
export type Explainer = (context: ExplainContext) => readonly Explained[] | Promise<readonly Explained[]>;

/** Most items that one explanation lists. */
export const LISTED = 5;

export const titled = (id: string, title: string | undefined): { id: string; title?: string } =>
  title === undefined ? { id } : { id, title };

/** `“A”, “B” and “C”`. */
export function enumerate(names: readonly string[]): string {
  const quoted = names.map((name) => `“${name}”`);
  return quoted.length < 2 ? (quoted[0] ?? "") : `${quoted.slice(0, -1).join(", ")} and ${quoted.at(-1)}`;
}
