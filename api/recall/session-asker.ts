import { KindredError } from "../../schemas/errors.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import { parseEvent } from "../../schemas/event.js";
import type { Space } from "../../schemas/ports/read-model.js";
import type { ResolvedParts } from "../server-parts.js";
import { SessionAsker } from "./askers.js";
import { poolItems, weighSession } from "./pool-session.js";

/**
 * Someone unknown by the events of this session. `user` and `ts` may be left out: the session is now.
 * @throws KindredError INVALID_BODY: one bad event refuses the request, as the answer would be to another question
 */
export function sessionAsker(parts: ResolvedParts, raws: readonly Record<string, unknown>[]): (space: Space) => SessionAsker {
  const { maxSessionEvents } = parts.settings;
  if (raws.length > maxSessionEvents) throw new KindredError("INVALID_BODY", `at most ${maxSessionEvents} events in a session`, "events");
  const rules = parts.rules();
  const events = raws.map((raw, index): BehaviourEvent => {
    const parsed = parseEvent({ user: "session", ts: rules.latestTs, ...raw }, rules);
    if (!parsed.ok) throw new KindredError("INVALID_BODY", `${parsed.error.code}: ${parsed.error.message}`, `events.${index}`);
    return parsed.value;
  });
  const items = weighSession(events, parts.foldSettings());
  return ({ users, itemVectors }) => {
    const pooled = itemVectors === undefined ? undefined : poolItems(items, itemVectors);
    return new SessionAsker(items, pooled === undefined ? undefined : Float32Array.from(pooled), parts.readModel, users);
  };
}
