import { setMaxListeners } from "node:events";
import { constants } from "node:os";
import { KindredError } from "../schemas/errors.js";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** npm passes on what the terminal has sent to the whole group already: one Ctrl-C comes twice. */
const ECHO_MS = 500;

/**
 * Runs `work` with a signal that aborts on SIGINT or SIGTERM, so that it can end cleanly. A second signal ends the process at
 * once: a clean stop that hangs must not need kill -9.
 */
export async function untilStopped<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  // Each request to a server listens until it is collected: thousands are no leak.
  setMaxListeners(0, stop.signal);
  let first = Number.NEGATIVE_INFINITY;
  const onSignal = (name: (typeof SIGNALS)[number]): void => {
    if (stop.signal.aborted && performance.now() - first < ECHO_MS) return;
    if (stop.signal.aborted) process.exit(128 + constants.signals[name]);
    first = performance.now();
    stop.abort(new KindredError("NOT_READY", `stopped by ${name}`));
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    return await work(stop.signal);
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal);
  }
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
