import { execFile } from "node:child_process";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePorts } from "../../test/harness/server-process.js";

const execute = promisify(execFile);

/** One line of the peer: what it did, by its own names. */
export type PeerFigures = Readonly<Record<string, number>>;

/**
 * The Kafka Streams application of `../shared/peers/kafka-streams`, with a broker of its own: in a copy of the folder, since it writes beside
 * itself, and on free ports, since its own are those of whoever tries it by hand.
 */
export class StreamsPeer {
  private constructor(
    private readonly directory: string,
    readonly brokers: string,
  ) {}

  /** @param folder the application @param to where its copy goes; must not be there yet */
  static async copy(folder: string, to: string): Promise<StreamsPeer> {
    const [broker = 0, controller = 0] = await freePorts(2);
    await cp(folder, to, { recursive: true });
    await execute("chmod", ["-R", "u+w", to]);
    for (const name of ["start-kafka.sh", "broker/server.properties"]) {
      const text = await readFile(join(to, name), "utf8");
      await writeFile(join(to, name), text.replaceAll("19192", String(broker)).replaceAll("19193", String(controller)));
    }
    return new StreamsPeer(to, `127.0.0.1:${broker}`);
  }

  /** Starts its broker and makes the topic `behavior-events` anew. */
  async fill(events: number, users: number): Promise<void> {
    await this.run("fill.sh", String(events), String(users));
  }

  /** The whole topic, from nothing to its end. */
  async fold(guarantee: "alo" | "eos"): Promise<PeerFigures> {
    const [figures] = await this.run("run.sh", guarantee, "1");
    return figures as PeerFigures;
  }

  /** As `fold`; then it is killed with -9, its state removed, and it is started again. */
  async foldAndRestore(guarantee: "alo" | "eos"): Promise<{ readonly folded: PeerFigures; readonly restored: PeerFigures }> {
    const [folded, restored] = await this.run("restore.sh", guarantee, "1");
    if (!folded || !restored) throw new Error("the peer did not say what it restored");
    return { folded, restored };
  }

  /** Ends its broker. */
  async stop(): Promise<void> {
    const pid = Number(await readFile(join(this.directory, "broker", "broker.pid"), "utf8").catch(() => "0"));
    if (pid > 0) process.kill(pid);
  }

  private async run(script: string, ...args: string[]): Promise<PeerFigures[]> {
    const env = { ...process.env, BOOTSTRAP: this.brokers };
    const { stdout } = await execute(join(this.directory, script), args, { env, maxBuffer: 1 << 26 });
    const lines = stdout.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}"));
    return lines.map((line) => JSON.parse(line) as PeerFigures);
  }
}
