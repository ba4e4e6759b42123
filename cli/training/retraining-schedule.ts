import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Config } from "../../schemas/config.js";
import type { Log } from "../../schemas/ports/log.js";

const HOUR_MS = 3_600_000;
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
  private running: { readonly child: ChildProcess; readonly ended: Promise<void> } | undefined;

  constructor(private readonly options: ScheduleOptions) {}

  /** Nothing where the configuration has no interval. @param url of this server */
  start(url: string): void {
    const { everyHours } = this.options.config.retrain;
    if (everyHours === 0) return;
    // A timer counts to 24 days.
    const every = Math.min(everyHours * HOUR_MS, 2 ** 31 - 1);
    this.timer = setInterval(() => this.run(url), every);
  }

  /** Ends one that is under way: nothing of it was published. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
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
