import type { TestBroker } from "./kafka-broker.js";
import { KindredServer, kindredJson, temporaryDirectory } from "./kindred-process.js";

/** What a recall node or an updater says of its rows. */
export interface RowsAnswer {
  readonly hash: string;
  readonly rows: number;
  readonly position: string;
}

/** Environment of a kindred process over topics of its own. */
export function kafkaEnvironment(brokers: string, name: string, more: Record<string, string> = {}): Record<string, string> {
  const topics = ["events", "items", "changelog", "dead_letters", "catalogues", "generations", "files"];
  return {
    KINDRED_SOURCE__KIND: "kafka",
    KINDRED_KAFKA__BROKERS: brokers,
    KINDRED_KAFKA__FORMAT: "json",
    KINDRED_KAFKA__GROUP_ID: name,
    ...Object.fromEntries(topics.map((topic) => [`KINDRED_KAFKA__TOPICS__${topic.toUpperCase()}`, `${name}.${topic}`])),
    ...more,
  };
}

/** Processes of one group over one broker: updaters and recall nodes, each with a directory of its own. */
export class KindredCluster {
  private readonly directories: { path: string; remove(): Promise<void> }[] = [];
  private readonly servers: KindredServer[] = [];

  constructor(
    readonly broker: Pick<TestBroker, "brokers">,
    readonly name: string,
    private readonly more: Record<string, string> = {},
  ) {}

  get env(): Record<string, string> {
    return kafkaEnvironment(this.broker.brokers, this.name, this.more);
  }

  async directory(label: string): Promise<string> {
    const directory = await temporaryDirectory(`${this.name}-${label}`);
    this.directories.push(directory);
    return directory.path;
  }

  /** Starts a node; give a directory to start one that was there before. */
  async start(
    role: "updater" | "recall" | "all",
    directory?: string,
    env: Record<string, string> = {},
  ): Promise<KindredServer & { directory: string }> {
    const path = directory ?? (await this.directory(role));
    const server = await KindredServer.start(path, { args: ["--role", role], env: { ...this.env, ...env }, timeoutMs: 120_000 });
    this.servers.push(server);
    return Object.assign(server, { directory: path });
  }

  /** Folds the events topic anew, into an empty directory. */
  async cleanReplay(): Promise<RowsAnswer & { readonly events: number; readonly rejected: number }> {
    const path = await this.directory("replay");
    return kindredJson(["replay", "--from", "kafka", "--into", "shadow", "--data-dir", path], this.env);
  }

  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill()));
    for (const directory of this.directories) await directory.remove();
  }
}

export async function getJson<T>(url: string): Promise<T> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** Answer of a node, whatever its status. */
export async function send<T>(method: string, url: string, body?: unknown): Promise<{ status: number; body: T }> {
  const answer = await fetch(url, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  return { status: answer.status, body: (await answer.json().catch(() => undefined)) as T };
}

/** The value of a series of a node's metrics; undefined where it is not told. */
export async function metric({ url }: { readonly url: string }, series: string): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}
