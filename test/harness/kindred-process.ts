import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname.replace(/[/\\]dist(?=[/\\])/, ""), "..", "..");
const MAIN = join(ROOT, "dist", "cli", "main.cjs");

/** As `npm run kindred` and the installed command have it. */
const NODE_FLAGS = ["--max-semi-space-size=64"];

export interface CommandResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** CPU seconds of the process, user and system. */
  readonly seconds: number;
}

/** A new empty directory and how to remove it. */
export async function temporaryDirectory(name: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `kindred-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Runs `kindred ARGS` to its end; `onSpawn` gets the process, e.g. to kill it. */
export function kindred(
  args: readonly string[],
  options: { env?: Record<string, string>; onSpawn?: (child: ChildProcess) => void } = {},
): Promise<CommandResult> {
  const started = performance.now();
  const child = spawn(process.execPath, [...NODE_FLAGS, MAIN, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  options.onSpawn?.(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr, seconds: (performance.now() - started) / 1000 }));
  });
}

/** Runs `kindred ARGS --json` and reads what it prints. @throws with stderr when the exit code is not 0 */
export async function kindredJson<T>(args: readonly string[], env?: Record<string, string>): Promise<T> {
  const result = await kindred([...args, "--json"], env === undefined ? {} : { env });
  if (result.code !== 0) throw new Error(`kindred ${args.join(" ")} ended with ${result.code ?? result.signal}: ${result.stderr}`);
  return JSON.parse(result.stdout) as T;
}

/** A `kindred serve` (or `demo`) of its own process on a free port. */
export class KindredServer {
  private constructor(
    readonly child: ChildProcess,
    readonly url: string,
    private readonly log: { text: string },
  ) {}

  /** Starts it and waits until /readyz answers 200. */
  static async start(
    directory: string,
    options: { command?: string; args?: readonly string[]; env?: Record<string, string>; timeoutMs?: number } = {},
  ): Promise<KindredServer> {
    const args = [...NODE_FLAGS, MAIN, options.command ?? "serve", "--port", "0", "--data-dir", directory, ...(options.args ?? [])];
    const child = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, ...options.env }, stdio: ["ignore", "pipe", "pipe"] });
    const log = { text: "" };
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        log.text = (log.text + text).slice(-200_000);
      });
    const deadline = Date.now() + (options.timeoutMs ?? 60_000);
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`kindred serve ended with ${child.exitCode ?? child.signalCode}: ${log.text}`);
      if (Date.now() > deadline) {
        child.kill("SIGKILL");
        throw new Error(`kindred serve was not ready in time: ${log.text}`);
      }
      const url = await addressOf(directory, child.pid);
      if (url !== undefined && (await answersReady(url))) return new KindredServer(child, url, log);
      await sleep(50);
    }
  }

  get logText(): string {
    return this.log.text;
  }

  /** Resident bytes now (Linux). */
  async residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.child.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
  }

  /** User and system CPU seconds so far (Linux). */
  async cpuSeconds(): Promise<number> {
    const fields = (await readFile(`/proc/${this.child.pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** Ends it cleanly; resolves its exit code. */
  stop(): Promise<number | null> {
    return this.end("SIGTERM");
  }

  /** Ends it as a power cut of the process would. */
  kill(): Promise<number | null> {
    return this.end("SIGKILL");
  }

  private end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return Promise.resolve(this.child.exitCode);
    return new Promise((resolve) => {
      this.child.once("exit", (code) => resolve(code));
      this.child.kill(signal);
    });
  }
}

async function addressOf(directory: string, pid: number | undefined): Promise<string | undefined> {
  try {
    const address = JSON.parse(await readFile(join(directory, "kindred.address"), "utf8")) as { url: string; pid: number };
    return address.pid === pid ? address.url : undefined;
  } catch {
    return undefined;
  }
}

async function answersReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok;
  } catch {
    return false;
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The checkout's root, e.g. to find ../shared/data beside it. */
export const projectRoot: string = dirname(join(ROOT, "package.json"));
