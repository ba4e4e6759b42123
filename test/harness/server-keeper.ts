import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Reads process ids, a line each, until its input ends, which it does when the test process is gone, however it went; then ends the
 * newest of them, stopped or not, and removes the directory. An empty line: nobody runs now.
 */
const SCRIPT = `pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  kill -9 "$pid" 2>/dev/null
  n=0
  while kill -0 "$pid" 2>/dev/null && [ $n -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
fi
rm -rf -- "$1"`;

/** Sees to it that a server of the tests does not outlive them: an exit hook would not run where vitest is killed. */
export class ServerKeeper {
  private readonly child: ChildProcess;

  constructor(directory: string) {
    // A group of its own: Ctrl-C shall end the tests and not who tidies up behind them.
    this.child = spawn("sh", ["-c", SCRIPT, "kindred-server-keeper", directory], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    // It was ended by hand: then nobody keeps the server, and that is no reason for a test to fail.
    this.child.stdin?.on("error", () => undefined);
    this.child.unref();
  }

  runs(pid: number | undefined): void {
    this.child.stdin?.write(`${pid ?? ""}\n`);
  }

  /** Ends what still runs and removes the directory. */
  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const closed = once(this.child, "exit");
    // A bench has nothing else to wait for: its process would end here, before what it has to say.
    this.child.ref();
    this.child.stdin?.end();
    await closed;
  }
}
