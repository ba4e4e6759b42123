import { existsSync } from "node:fs";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import { makeLogger } from "./logger.js";
import { Updater, type UpdaterOptions } from "./updater.js";

export interface OfflineOptions extends Pick<UpdaterOptions, "index" | "activate"> {
  readonly signal: AbortSignal;
  /** Whether the directory may be made. Default false: a command that only looks says that there is nothing to see. */
  readonly create?: boolean;
}

/**
 * Runs `work` on a data directory that no server has open, in this process; folds first what the log is ahead, and closes in any case.
 * @throws KindredError DIRECTORY_IN_USE, USAGE (there is no such directory), ...
 */
export async function withUpdater<T>(
  config: Config,
  { signal, create, ...options }: OfflineOptions,
  work: (updater: Updater) => Promise<T>,
): Promise<T> {
  if (config.source.kind === "kafka")
    throw new KindredError("USAGE", "no node runs on this directory; with source.kind kafka name one that runs: --url http://host:port");
  if (create !== true && !existsSync(config.dataDir)) throw new KindredError("USAGE", "there is no such data directory", config.dataDir);
  const updater = await Updater.open({ activate: create === true, ...options, config, log: makeLogger(config) });
  const interrupt = (): void => updater.interrupt();
  signal.addEventListener("abort", interrupt);
  try {
    await updater.start();
    signal.throwIfAborted();
    // From here on the work itself looks at the signal: what it has begun is to be folded to its end.
    signal.removeEventListener("abort", interrupt);
    return await work(updater);
  } finally {
    signal.removeEventListener("abort", interrupt);
    await updater.close();
  }
}
