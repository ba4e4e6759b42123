import type { Command } from "commander";
import type { Config } from "../../schemas/config.js";
import type { Terminal } from "../command-frame.js";
import { addCommonOptions, type CommonOptions, choiceFlag, commonFlags, configurationOf } from "../command-options.js";
import { aborted, untilStopped } from "../stop-signals.js";
import { RetrainingSchedule } from "../training/retraining-schedule.js";
import { type RunningServer, startServer } from "../wiring/http-server.js";
import { makeLogger } from "../wiring/logger.js";
import type { Role } from "../wiring/node-threads.js";

export interface ServeOptions extends CommonOptions {
  readonly host?: string;
  readonly port?: string;
  readonly role: Role;
}

/** Flags of a command that serves. */
export function addServeOptions(command: Command): Command {
  return addCommonOptions(command)
    .option("--host <address>", "address to listen on (default: 127.0.0.1)")
    .option("--port <port>", "port to listen on, 0 takes a free one (default: 7878)")
    .option(
      "--role <role>",
      "all, updater (folds what its group gives it) or recall (answers); a journal has all only",
      choiceFlag("all", "updater", "recall"),
      "all",
    );
}

export function serveConfiguration(options: ServeOptions, terminal: Terminal): Config {
  return configurationOf(options, terminal, {
    "server.host": { flag: "--host", value: options.host },
    "server.port": { flag: "--port", value: options.port },
  });
}

export function addServe(program: Command, terminal: Terminal): void {
  addServeOptions(program.command("serve").description("updater and recall API, in one process or by role")).action(
    (options: ServeOptions) => serve(options, terminal),
  );
}

/** Serves until it is stopped, or cannot go on; closes cleanly in both cases. */
export async function serveUntilStopped(
  server: RunningServer,
  signal: AbortSignal,
  work: () => Promise<void> = () => aborted(signal),
): Promise<void> {
  try {
    await Promise.race([work(), server.failed, aborted(signal)]);
  } catch (error) {
    // What went wrong first is what the command ends with.
    await server.close().catch(() => undefined);
    throw error;
  }
  await server.close();
}

async function serve(options: ServeOptions, terminal: Terminal): Promise<void> {
  const config = serveConfiguration(options, terminal);
  const log = makeLogger(config);
  await untilStopped(async (signal) => {
    const server = await startServer(config, log, options.role);
    const schedule = new RetrainingSchedule({ config, flags: commonFlags(options), log });
    await serveUntilStopped(server, signal, async () => {
      await server.ready;
      log.info({ url: server.url, role: options.role, docs: `${server.url}/docs`, dataDir: config.dataDir }, "ready");
      if (options.role !== "recall") await schedule.start(server.url);
      await aborted(signal);
    }).finally(() => schedule.stop());
    log.info("stopped");
  });
}
