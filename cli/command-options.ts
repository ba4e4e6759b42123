import { type Command, InvalidArgumentError } from "commander";
import type { Config } from "../schemas/config.js";
import { KindredError } from "../schemas/errors.js";
import { parseTimestamp } from "../schemas/event.js";
import type { EpochMs } from "../schemas/ids.js";
import type { Terminal } from "./command-frame.js";
import { type FlagValues, loadConfiguration } from "./configuration.js";
import { findServer } from "./wiring/address-file.js";
import { ServerClient } from "./wiring/server-client.js";

/** Flags that every command takes. */
export interface CommonOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly logLevel?: string;
}

/** Flags of commands that a running server can do. */
export interface ClientOptions extends CommonOptions {
  readonly url?: string;
  readonly json?: boolean;
}

export function addCommonOptions(command: Command): Command {
  return command
    .option("--data-dir <directory>", "where everything durable lies (default: ./data)")
    .option("--config <file>", "configuration file (default: kindred.yaml where there is one)")
    .option("--log-level <level>", "trace, debug, info, warn, error or silent");
}

/** The same flags, for a command that this one starts. */
export const commonFlags = ({ config, dataDir, logLevel }: CommonOptions): string[] => [
  ...(config === undefined ? [] : ["--config", config]),
  ...(dataDir === undefined ? [] : ["--data-dir", dataDir]),
  ...(logLevel === undefined ? [] : ["--log-level", logLevel]),
];

export function addClientOptions(command: Command): Command {
  return addCommonOptions(command)
    .option("--url <url>", "server to ask (default: the one that has the data directory open; without one the command works by itself)")
    .option("--json", "print the result as JSON");
}

/** The configuration with this command's flags over it. @throws KindredError CONFIG_INVALID, USAGE */
export function configurationOf(options: CommonOptions, terminal: Terminal, flags: FlagValues = {}): Config {
  const common: FlagValues = {
    dataDir: { flag: "--data-dir", value: options.dataDir },
    "logging.level": { flag: "--log-level", value: options.logLevel },
  };
  return loadConfiguration({ file: options.config, env: terminal.env, flags: { ...common, ...flags } });
}

/** The server that a command talks to; undefined where it works by itself. @throws KindredError USAGE */
export async function serverOf(options: ClientOptions, config: Config, signal?: AbortSignal): Promise<ServerClient | undefined> {
  if (options.url !== undefined && !URL.canParse(options.url))
    throw new KindredError("USAGE", `${JSON.stringify(options.url)} is no address of a server, like http://127.0.0.1:7878`, "--url");
  const url = options.url?.replace(/\/+$/, "") ?? (await findServer(config.dataDir))?.url;
  return url === undefined ? undefined : new ServerClient(url, signal);
}

/** Prints a result: one line of JSON, or text for people. */
export function printResult(terminal: Terminal, options: { readonly json?: boolean }, result: unknown, text: string): void {
  terminal.stdout.write(options.json === true ? `${JSON.stringify(result)}\n` : `${text}\n`);
}

/** An integer of a flag. */
export function integerFlag(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`it must be an integer from ${least} to ${most}.`);
    return value;
  };
}

/** A number of a flag. */
export function numberFlag(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= least && value <= most))
      throw new InvalidArgumentError(`it must be a number from ${least} to ${most}.`);
    return value;
  };
}

/** One of some words. */
export function choiceFlag<T extends string>(...choices: readonly T[]): (text: string) => T {
  return (text) => {
    if (!(choices as readonly string[]).includes(text)) throw new InvalidArgumentError(`it must be one of ${choices.join(", ")}.`);
    return text as T;
  };
}

/** A time of a flag. */
export function timeFlag(text: string): EpochMs {
  const ts = parseTimestamp(/^\d+$/.test(text) ? Number(text) : /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text);
  if (ts === undefined) throw new InvalidArgumentError("it is not a time: RFC 3339, a date, or epoch milliseconds.");
  return ts;
}
