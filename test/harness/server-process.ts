import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { sleep, temporaryDirectory } from "./kindred-process.js";
import { ServerKeeper } from "./server-keeper.js";

export interface ServerCommand {
  /** As errors name it. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  /** Asks the server something that only a ready one answers; rejects as long as it is not. */
  ready(): Promise<void>;
}

const READY_WITHIN_MS = 90_000;
const STOPS_WITHIN_MS = 20_000;
const LOG_TAIL = 6_000;

/** Below the ports that outgoing connections get, so that a server finds its port free when it is started again. */
const [FIRST_PORT, PORTS] = [20_000, 12_000];

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
    await new Promise((resolve) => server.close(resolve));
    return true;
  } catch {
    return false;
  }
}

/** `count` free ports of the loopback interface, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = FIRST_PORT + randomInt(PORTS);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

/** Another server of the tests, in a process and a directory of its own; both are gone when the test process is. */
export class ServerProcess {
  private child: ChildProcess | undefined;

  private constructor(
    readonly directory: string,
    private readonly keeper: ServerKeeper,
    private readonly command: ServerCommand,
  ) {}

  /** Makes the directory, asks `prepare` for the command that is to run there, runs it and waits until it is ready. */
  static async start(name: string, prepare: (directory: string) => Promise<ServerCommand>): Promise<ServerProcess> {
    const { path } = await temporaryDirectory(name);
    const keeper = new ServerKeeper(path);
    let server: ServerProcess | undefined;
    try {
      server = new ServerProcess(path, keeper, await prepare(path));
      await server.run();
      return server;
    } catch (error) {
      await (server?.stop() ?? keeper.close());
      throw error;
    }
  }

  get pid(): number {
    if (this.child?.pid === undefined) throw new Error(`${this.command.name} is not running`);
    return this.child.pid;
  }

  /** What it wrote since it was first started. */
  get logText(): string {
    return readFileSync(this.logFile, "utf8");
  }

  /** Ends it for good, cleanly where it can, and removes its directory. */
  async stop(): Promise<void> {
    await this.end("SIGTERM");
    await this.keeper.close();
  }

  /** Ends it as a power cut of its process would; what is on its disk stays. */
  kill(): Promise<void> {
    return this.end("SIGKILL");
  }

  /** Starts it again on the same directory and ports, after ending it cleanly where it still runs. */
  async restart(): Promise<void> {
    await this.end("SIGTERM");
    await this.run();
  }

  /** Lets it hang: connections stay open, nothing is answered. */
  pause(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  resume(): void {
    process.kill(this.pid, "SIGCONT");
  }

  private get logFile(): string {
    return join(this.directory, "server.log");
  }

  private async run(): Promise<void> {
    const { name, program, args, env } = this.command;
    const log = openSync(this.logFile, "a");
    const child = spawn(program, args, { cwd: this.directory, env: { ...process.env, ...env }, stdio: ["ignore", log, log] });
    closeSync(log);
    let failure = "";
    child.once("error", (error) => {
      failure = error.message;
    });
    child.once("exit", (code, signal) => {
      failure ||= `it ended with ${code ?? signal}`;
      if (this.child !== child) return;
      this.child = undefined;
      this.keeper.runs(undefined);
    });
    this.child = child;
    this.keeper.runs(child.pid);
    for (const deadline = performance.now() + READY_WITHIN_MS; ; await sleep(50)) {
      const problem = await this.command.ready().then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      if (problem === undefined && failure === "") return;
      if (failure === "" && performance.now() < deadline) continue;
      throw new Error(`${name} does not come up: ${failure || problem}\n${this.logText.slice(-LOG_TAIL)}`);
    }
  }

  private async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const ended = once(child, "exit");
    child.kill(signal);
    // A paused one would never see SIGTERM.
    child.kill("SIGCONT");
    const late = setTimeout(() => child.kill("SIGKILL"), STOPS_WITHIN_MS);
    await ended;
    clearTimeout(late);
  }
}
