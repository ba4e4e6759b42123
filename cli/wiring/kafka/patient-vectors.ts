import { setTimeout as sleep } from "node:timers/promises";
import type { ItemVectors, ItemVectorsOf } from "../../../schemas/catalogue.js";
import { KindredError } from "../../../schemas/errors.js";
import type { Log } from "../../../schemas/ports/log.js";

const AGAIN_MS = 1_000;
/** It is said once in so many tries. */
const SAID_EACH = 30;

/**
 * Item vectors of models that lie in a directory which nodes share. One that is not there (yet), or not readable, is waited for: rows
 * cannot be pooled without it, and what is told of them waits with it, while a node that answers goes on with what it has.
 * @param signal ends the waiting
 */
export function patientVectors(of: ItemVectorsOf, log: Log, signal: AbortSignal): ItemVectorsOf {
  return (ref) => {
    const made = of(ref);
    return made instanceof Promise ? made.catch((error: unknown) => again(error)) : made;

    async function again(first: unknown): Promise<ItemVectors> {
      let error = first;
      for (let tries = 0; ; tries++) {
        if (!(error instanceof KindredError && error.code === "MODEL_INVALID")) throw error;
        if (tries % SAID_EACH === 0)
          log.error(
            { err: error, generation: ref.generation, folder: ref.folder },
            "a published model is not in models.directory: what follows waits for it",
          );
        await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) throw new KindredError("NOT_READY", "the node is stopping");
        try {
          return await of(ref);
        } catch (latest) {
          error = latest;
        }
      }
    }
  };
}
