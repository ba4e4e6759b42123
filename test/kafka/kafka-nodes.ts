import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KafkaUpdater } from "../../cli/wiring/kafka/kafka-updater.js";
import { RecallNode } from "../../cli/wiring/kafka/recall-node.js";
import type { ServingNode } from "../../cli/wiring/serving-node.js";
import type { Config } from "../../schemas/config.js";
import { buildConfig } from "../../schemas/config-validation.js";
import { TestTopics } from "../harness/test-topics.js";

export interface LoggedLine {
  readonly message: string;
  readonly [field: string]: unknown;
}

/** Nodes of one group within this process, each with a directory of its own; over topics that nobody else has. */
export class KafkaNodes {
  readonly name = `n${randomUUID().slice(0, 8)}`;
  readonly topics: TestTopics;
  private readonly open = new Set<ServingNode>();
  private readonly directories: string[] = [];

  constructor(
    private readonly brokers: string,
    private readonly kafka: object = {},
    private readonly values: object = {},
  ) {
    this.topics = new TestTopics(brokers);
  }

  topic(which: string): string {
    return `${this.name}.${which}`;
  }

  async directory(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), `kindred-${this.name}-`));
    this.directories.push(directory);
    return directory;
  }

  config(dataDir: string, kafka: object = {}, own: object = {}): Config {
    const names = ["events", "items", "changelog", "deadLetters", "catalogues", "generations", "files"];
    const ours = {
      brokers: this.brokers,
      format: "json",
      groupId: this.name,
      sessionTimeoutMs: 6_000,
      topics: Object.fromEntries(names.map((name) => [name, this.topic(name)])),
    };
    const values = { dataDir, source: { kind: "kafka" }, generation0: { dims: 16 }, ...this.values, ...own };
    return buildConfig([{ where: () => "test", values: { ...values, kafka: { ...ours, ...this.kafka, ...kafka } } }]);
  }

  /** Starts one; `failed` resolves with what it cannot go on for. */
  async start<Role extends "updater" | "recall">(role: Role, directory?: string, kafka: object = {}, own: object = {}) {
    const path = directory ?? (await this.directory());
    const lines: LoggedLine[] = [];
    const note = (fields: object, message: string): void => void lines.push({ ...fields, message });
    let onFailed: (error: unknown) => void = () => undefined;
    const failed = new Promise<unknown>((resolve) => {
      onFailed = resolve;
    });
    const config = this.config(path, kafka, own);
    const options = { config, log: { debug: () => undefined, info: note, warn: note, error: note }, onFailed };
    type Node = Role extends "updater" ? KafkaUpdater : RecallNode;
    const node = (await (role === "updater" ? KafkaUpdater : RecallNode).open(options)) as Node;
    this.open.add(node);
    await node.start();
    return { node, directory: path, lines, failed, close: () => this.stop(node) };
  }

  async stop(node: ServingNode): Promise<void> {
    if (this.open.delete(node)) await node.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.open].map((node) => this.stop(node)));
    await this.topics.close();
    for (const directory of this.directories) await rm(directory, { recursive: true, force: true });
  }
}
