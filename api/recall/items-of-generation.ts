import type { ItemEngines, VectorEngine } from "../../schemas/ports/read-model.js";
import type { ServerParts } from "../server-parts.js";

/** The item engines that go with these users: those of another generation are another space, and not searched. */
export function itemsOf({ items }: Pick<ServerParts, "items">, users: VectorEngine): ItemEngines | undefined {
  const engines = items?.();
  return engines?.generation === users.generation ? engines : undefined;
}
