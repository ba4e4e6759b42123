/**
 * A partition of USERS users is lost: its updater is killed with -9, its directory removed, and it is started again. How long until it folds
 * again, from its start until an event that was produced meanwhile is in the state; what of that was waiting for the group (until the killed
 * member's session is over: kafkajs has no static membership), and what was reading the changelog.
 *
 *   npm run -s bench -- kafka-restore [--users 100000] [--events 2000000] [--partitions 1]
 *
 * Each user acts in turn, so that no two events of one are near each other: the changelog has a record an event until it is compacted.
 * `kafka-peer` measures the same beside Kafka Streams, with its topic.
 */
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { parseArgs, promisify } from "node:util";
import { startBroker } from "../test/harness/kafka-broker.js";
import { getJson, KindredCluster, type RowsAnswer } from "../test/harness/kafka-cluster.js";
import { startProducer } from "./harness/event-producer.js";
import { cpuSecondsOf, residentMibOf } from "./harness/process-figures.js";
import { Results, round } from "./harness/results.js";
import { appliedOf, waitForEvents } from "./harness/topic-progress.js";

const { values: flags } = parseArgs({
  options: {
    users: { type: "string", default: "100000" },
    events: { type: "string", default: "2000000" },
    partitions: { type: "string", default: "1" },
  },
});
const [users, events] = [Number(flags.users), Number(flags.events)];
const SESSION_MS = 6_000;

const results = new Results(
  "kafka-restore",
  `The state of ${users} users, ${events} events, is lost with its process and made again from the changelog.`,
  ["who", "partitions", "users", "records read", "start → folds again: s", "of it restoring: s", "CPU s", "resident MiB"],
);
await ours();
await results.write();

interface Owned {
  readonly msg: string;
  readonly time: number;
  readonly restored: number;
  readonly seconds: number;
}

/** What a log says of one thing. */
function entriesOf(log: string, msg: string): Owned[] {
  const lines = log.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}"));
  return lines.map((line) => JSON.parse(line) as Owned).filter((entry) => entry.msg === msg);
}

async function ours(): Promise<void> {
  const broker = await startBroker({ forLoad: true });
  const cluster = new KindredCluster(broker, "restore", {
    KINDRED_KAFKA__PARTITIONS: flags.partitions,
    KINDRED_KAFKA__SESSION_TIMEOUT_MS: String(SESSION_MS),
  });
  const produce = (count: number): Promise<number> =>
    startProducer({ brokers: broker.brokers, topic: `${cluster.name}.events`, users, count, inTurn: true }).done;
  try {
    const first = await cluster.start("updater");
    await produce(events);
    await waitForEvents(first, events);
    const before = await getJson<RowsAnswer>(`${first.url}/v1/state/hash`);
    await first.kill();
    await rm(first.directory, { recursive: true });
    await produce(1);
    const began = Date.now();
    const second = await cluster.start("updater", first.directory);
    await waitForEvents(second, appliedOf(before) + 1);
    const seconds = (Date.now() - began) / 1000;
    const pid = second.child.pid as number;
    const after = await getJson<RowsAnswer>(`${second.url}/v1/state/hash`);
    if (after.rows !== before.rows) throw new Error(`${after.rows} rows were restored of ${before.rows}`);
    const owned = entriesOf(second.logText, "a partition is ours");
    const given = Math.min(...entriesOf(second.logText, "the group gave these partitions").map(({ time }) => time));
    const restoring = Math.max(...owned.map((entry) => entry.seconds));
    const records = owned.reduce((sum, { restored }) => sum + restored, 0);
    const figures = [round(seconds), round(restoring), round(cpuSecondsOf(pid)), round(residentMibOf(pid), 0)];
    results.row("kindred", Number(flags.partitions), after.rows, records, ...figures);
    results.note(
      `kindred: ${round((given - began) / 1000)} s until the group gave the partition (its session is ${SESSION_MS / 1000} s here); the changelog has ` +
        `${round(await changelogMib(broker.dataDir))} MiB on the broker, ${round(((await changelogMib(broker.dataDir)) * 2 ** 20) / records, 0)} bytes a record`,
    );
  } finally {
    await cluster.close();
    await broker.stop();
  }
}

async function changelogMib(dataDir: string): Promise<number> {
  // The indexes beside the records are as large as they may ever be from the start.
  const { stdout } = await promisify(execFile)("sh", ["-c", 'du -cb "$0"/restore.changelog-*/*.log | tail -1', dataDir]);
  return Number.parseInt(stdout, 10) / 2 ** 20;
}
