import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Config } from "../../schemas/config.js";
import type { Log } from "../../schemas/ports/log.js";
import type { GenerationsBody } from "../wiring/generations-target.js";
import { ServerClient } from "../wiring/server-client.js";

const HOUR_MS = 3_600_000;
/** After a start, where one is overdue. */
const SOONEST_MS = 1_000;
/** Least claim to a processor: answers and folding go first. */
const NICE = 19;
/** Of what a training writes to its standard error. */
const KEPT_CHARACTERS = 4_096;

export interface ScheduleOptions {
  readonly config: Config;
  /** Configuration file and what else the server was started with, as flags. */
  readonly flags: readonly string[];
  readonly log: Log;
}

/**
 * Trains anew every so often, in a process of its own at the lowest priority: `kindred retrain`, which talks to this server. Never two at once: where
 * one takes longer than the interval, the next begins at the next turn.
 */
export class RetrainingSchedule {
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private running: { readonly child: ChildProcess; readonly ended: Promise<void> } | undefined;

  constructor(private readonly options: ScheduleOptions) {}

  /** Nothing where the configuration has no interval. The first comes that long after a model was published last, else from now. @param url of this server */
  async start(url: string): Promise<void> {
    const { everyHours } = this.options.config.retrain;
    if (everyHours === 0) return;
    const every = everyHours * HOUR_MS;
    const { generations } = await new ServerClient(url).get<GenerationsBody>("/v1/generations");
    const published = generations.map(({ publishedAt }) => (publishedAt === null ? 0 : Date.parse(publishedAt)));
    const last = Math.max(0, ...published);
    this.next(url, last === 0 ? every : Math.max(SOONEST_MS, last + every - Date.now()), every);
  }

  private next(url: string, delay: number, every: number): void {
    if (this.stopped) return;
    // A timer counts to 24 days.
    const part = Math.min(delay, 2 ** 31 - 1);
    this.timer = setTimeout(() => {
      if (delay > part) return this.next(url, delay - part, every);
      this.run(url);
      this.next(url, every, every);
    }, part);
  }

  /** Ends one that is under way: nothing of it was published. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    this.running?.child.kill("SIGTERM");
    await this.running?.ended;
  }

  private run(url: string): void {
    const { log, flags } = this.options;
    if (this.running !== undefined) {
      log.warn({}, "the last training has not ended yet; this turn is left out");
      return;
    }
    const main = join(import.meta.dirname, "..", "main.cjs");
    const args = ["-n", String(NICE), process.execPath, ...process.execArgv, main, "retrain", "--url", url, "--json", ...flags];
    const child = spawn("nice", args, { stdio: ["ignore", "pipe", "pipe"] });
    const ended = this.outcome(child).then(
      (result) => log.info(result, "trained anew"),
      (err: unknown) => log.warn({ err }, "training anew did not succeed; what answers goes on"),
    );
    this.running = { child, ended };
    void ended.finally(() => {
      this.running = undefined;
    });
  }

  private outcome(child: ChildProcess): Promise<object> {
    let [out, err] = ["", ""];
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      err = (err + text).slice(-KEPT_CHARACTERS);
    });
    return new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        if (code === 0) resolve(JSON.parse(out) as object);
        else reject(new Error(`retrain ended with ${code ?? signal}: ${err.trim()}`));
      });
    });
  }
}
