import type { Consumer } from "kafkajs";
import type { Log } from "../../schemas/ports/log.js";
import { isPassing } from "./kafka-errors.js";

const AGAIN_MS = 1_000;

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
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) ended(payload.error);
  });
}
