import { setTimeout as sleep } from "node:timers/promises";
import type { Consumer } from "kafkajs";
import { KindredError } from "../../schemas/errors.js";
import type { Log } from "../../schemas/ports/log.js";
import { isPassing } from "./kafka-errors.js";

const AGAIN_MS = 1_000;
/** Leaving takes as long as what is being fetched, and what is under way with the coordinator. */
const ENDS_WITHIN_MS = 5_000;

export interface Running {
  /** Whether it has been told to end. */
  readonly closed: () => boolean;
  /** Told when it has ended for good. */
  readonly onEnded: (error: unknown) => void;
  readonly log: Log;
}

/**
 * Starts a consumer again where kafkajs gives up though the cause passes: where no broker is there for a moment it does not find the
 * group's coordinator, and counts that among errors that are never worth a second try.
 * @param run what started it at first
 */
export function keepRunning(consumer: Consumer, run: () => Promise<void>, { closed, onEnded, log }: Running): void {
  const ended = (error: unknown): void => {
    if (closed()) return;
    if (!isPassing(error)) {
      onEnded(error);
      return;
    }
    log.warn({ err: error }, "a consumer has ended, and is started again");
    setTimeout(() => void again(), AGAIN_MS);
  };
  const again = async (): Promise<void> => {
    if (closed()) return;
    try {
      await consumer.connect();
      await run();
    } catch (error) {
      ended(error);
      return;
    }
    if (closed()) await consumer.disconnect().catch(() => undefined);
  };
  // Told to end in the middle of a restart of its own, kafkajs ends what it has and starts all the same.
  consumer.on(consumer.events.GROUP_JOIN, () => {
    if (closed()) void consumer.disconnect().catch(() => undefined);
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) ended(payload.error);
  });
}

/**
 * Leaves the brokers by `leave`, and waits no longer than that is worth: after a broker was killed kafkajs may wait for ever for an answer,
 * and whoever is to end would stay, neither serving nor started again.
 */
export async function endsInTime(leave: () => Promise<unknown>, log: Log): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    late = setTimeout(() => {
      log.warn({ afterMs: ENDS_WITHIN_MS }, "a consumer does not come to its end and is left behind");
      resolve();
    }, ENDS_WITHIN_MS);
  });
  const left = leave().catch((err: unknown) => log.warn({ err }, "a group could not be left"));
  await Promise.race([left, patience]);
  clearTimeout(late);
}

/** What brokers and the registry may mend by themselves. */
const RETRIED: ReadonlySet<string> = new Set(["BROKER_FAILED", "REGISTRY_FAILED", "OVERLOADED"]);
const RETRIED_AFTER_MS = 500;

/** Does again what fails for a reason that may pass, until nobody waits for it any more. @throws what fails for another */
export async function againWhilePassing(work: () => Promise<void>, { ended, log }: { ended: () => boolean; log: Log }): Promise<void> {
  while (!ended()) {
    try {
      await work();
      return;
    } catch (error) {
      if (!(error instanceof KindredError && RETRIED.has(error.code))) throw error;
      log.warn({ err: error }, "what was read could not be taken; it is tried again");
      await sleep(RETRIED_AFTER_MS);
    }
  }
}
