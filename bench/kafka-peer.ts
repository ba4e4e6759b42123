/**
 * The update path over Kafka beside the Kafka Streams application of `../shared/peers/kafka-streams`: the same broker and topic (2 million
 * events of 100,000 Zipf users), the same work (64 accumulators, 64 dimensions, the last 64 items), at least once and exactly once, one
 * process each, CPU of the whole process from its start on. Then the restore: the process is killed with -9, its state removed, it is started
 * again, and reads everything from its changelog.
 *
 *   npm run -s bench -- kafka-peer [--peer ../shared/peers/kafka-streams] [--events 2000000] [--users 100000]
 */
import type { ChildProcess } from "node:child_process";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openRocksStore } from "../state/rocks-store.js";
import { getJson, type RowsAnswer } from "../test/harness/kafka-cluster.js";
import { KindredServer, projectRoot, sleep, temporaryDirectory } from "../test/harness/kindred-process.js";
import { startRegistry } from "../test/harness/schema-registry.js";
import { TestTopics } from "../test/harness/test-topics.js";
import { Results, round } from "./harness/results.js";
import { type PeerFigures, StreamsPeer } from "./harness/streams-peer.js";
import { waitForEvents } from "./harness/topic-progress.js";

const { values: flags } = parseArgs({
  options: {
    peer: { type: "string", default: join(projectRoot, "..", "shared", "peers", "kafka-streams") },
    events: { type: "string", default: "2000000" },
    users: { type: "string", default: "100000" },
  },
});
const EVENTS = Number(flags.events);
const TOPIC = "behavior-events";
const SCHEMA = {
  type: "record",
  name: "Event",
  fields: [
    { name: "user", type: "string" },
    { name: "item", type: "string" },
    { name: "action", type: { type: "enum", name: "Action", symbols: ["click", "play", "like", "skip"] } },
    { name: "ts", type: "long" },
  ],
};
/** The schema that the peer's producer names in each value. */
const SCHEMA_ID = 1;
const ROW_BYTES_PEER = 1_048;
const SESSION_MS = 6_000;

interface Measured {
  readonly seconds: number;
  readonly cpu: number;
  /** CPU microseconds an event of the second half; ours does not tell how much is folded before it is committed. */
  readonly warmUs?: number;
  readonly peakMb: number;
}

const ofPeer = (figures: PeerFigures): Measured => {
  const [seconds = 0, cpu = 0, warmUs = 0, peakMb = 0] = ["seconds", "cpu_total_s", "half2_cpu_us_per_event", "rss_mb"].map(
    (name) => figures[name],
  );
  return { seconds, cpu, warmUs, peakMb };
};

async function registerSchema(url: string): Promise<void> {
  const answer = await fetch(`${url}/subjects/${TOPIC}-value/versions`, {
    method: "POST",
    headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
    body: JSON.stringify({ schema: JSON.stringify(SCHEMA) }),
  });
  const { id } = (await answer.json()) as { id?: number };
  if (id !== SCHEMA_ID) throw new Error(`the registry gave the schema the id ${id}; the values name ${SCHEMA_ID}`);
}

const answerOf = (url: string): Promise<RowsAnswer> => getJson<RowsAnswer>(`${url}/v1/state/hash`);

async function rowsOf(url: string): Promise<string> {
  const { hash, rows } = await answerOf(url);
  return `${rows} with the hash ${hash}`;
}

/** What a log says of the restore of its partitions. */
function restoredBy(log: string, started: number): { records: number; seconds: number; given: number } {
  const lines = log.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}"));
  const entries = lines.map((line) => JSON.parse(line) as { msg: string; time: number; restored: number; seconds: number });
  const owned = entries.filter(({ msg }) => msg === "a partition is ours");
  const given = entries.filter(({ msg }) => msg === "the group gave these partitions").map(({ time }) => (time - started) / 1000);
  return {
    records: owned.reduce((sum, { restored }) => sum + restored, 0),
    seconds: Math.max(...owned.map(({ seconds }) => seconds)),
    given: Math.min(...given),
  };
}

async function threads({ pid }: ChildProcess): Promise<string> {
  const times: [name: string, seconds: number][] = [];
  for (const id of await readdir(`/proc/${pid}/task`)) {
    const stat = await readFile(`/proc/${pid}/task/${id}/stat`, "utf8").catch(() => "");
    const fields = stat.split(") ")[1]?.split(" ") ?? [];
    times.push([/\((.*)\)/.exec(stat)?.[1] ?? "", (Number(fields[11]) + Number(fields[12])) / 100]);
  }
  times.sort(([, a], [, b]) => b - a);
  const rest = times.slice(1).filter(([name]) => !name.startsWith("rocksdb"));
  const rocks = times.filter(([name]) => name.startsWith("rocksdb")).reduce((sum, [, seconds]) => sum + seconds, 0);
  const others = rest.reduce((sum, [, seconds]) => sum + seconds, 0);
  return `the updater's thread ${round(times[0]?.[1] ?? 0)} s, RocksDB's own ${round(rocks)} s, the others (garbage collector, writes, HTTP) ${round(others)} s`;
}

/** Our updater over the topic until it has folded everything. */
async function ours(brokers: string, registry: string, group: string, data: string, ends: number) {
  const topics = ["items", "changelog", "dead_letters", "catalogues", "generations", "files"];
  const env: Record<string, string> = {
    KINDRED_SOURCE__KIND: "kafka",
    KINDRED_KAFKA__BROKERS: brokers,
    KINDRED_KAFKA__GROUP_ID: group,
    KINDRED_KAFKA__SESSION_TIMEOUT_MS: String(SESSION_MS),
    KINDRED_KAFKA__TOPICS__EVENTS: TOPIC,
    KINDRED_REGISTRY__URL: registry,
    KINDRED_GENERATION0__DIMS: "64",
    KINDRED_FOLD__PROFILE_ITEMS: "64",
    KINDRED_FOLD__IDEMPOTENCY_RING: "0",
    KINDRED_LOGGING__LEVEL: "info",
    ...Object.fromEntries(topics.map((name) => [`KINDRED_KAFKA__TOPICS__${name.toUpperCase()}`, `${group}.${name}`])),
  };
  const started = Date.now();
  const server = await KindredServer.start(data, { args: ["--role", "updater"], env });
  await waitForEvents(server, ends);
  const seconds = (Date.now() - started) / 1000;
  const cpu = await server.cpuSeconds();
  const status = await readFile(`/proc/${server.child.pid}/status`, "utf8");
  const measured: Measured = { seconds, cpu, peakMb: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024 };
  return { server, started, measured, threads: await threads(server.child) };
}

/** Mean bytes of a row, in the stores and as the newest record of each user in the changelog. */
async function rowBytes(brokers: string, changelog: string, data: string): Promise<{ stored: number; logged: number; written: number }> {
  let [rows, bytes] = [0, 0];
  for (const partition of await readdir(join(data, "state"))) {
    const store = await openRocksStore(join(data, "state", partition));
    for await (const [, value] of store.iterate({ gte: Buffer.from("r"), lt: Buffer.from("s") })) {
      rows++;
      bytes += value.length;
    }
    await store.close();
  }
  const topics = new TestTopics(brokers);
  const records = (await topics.read(changelog, 120_000)).filter(({ key }) => key?.[0] === "u".charCodeAt(0));
  await topics.close();
  const newest = new Map(records.map(({ key, value }) => [String(key), value?.length ?? 0]));
  const logged = [...newest.values()].reduce((sum, length) => sum + length, 0) / newest.size;
  return { stored: bytes / rows, logged, written: records.length };
}

const scratch = await temporaryDirectory("kafka-peer");
const theirs = await StreamsPeer.copy(flags.peer, join(scratch.path, "peer"));
const { brokers } = theirs;
const registry = await startRegistry();
const title = `${EVENTS} events of ${flags.users} Zipf users in 8 partitions, folded from Kafka into RocksDB and a changelog, by one process`;
const results = new Results("kafka-peer", title, [
  "who",
  "CPU s",
  "events per CPU second",
  "CPU us an event, second half",
  "wall s",
  "peak MB",
]);
const restores = new Results(
  "kafka-peer-restore",
  "The restore of all that from the changelog: the process killed with -9, its state removed",
  ["who", "records read", "CPU s", "start → folds again: s", "of it restoring: s", "peak MB"],
);
const tell = (who: string, { seconds, cpu, warmUs, peakMb }: Measured): void =>
  results.row(
    who,
    round(cpu),
    Math.round(EVENTS / cpu),
    warmUs === undefined ? null : round(warmUs, 2),
    round(seconds),
    Math.round(peakMb),
  );
try {
  await theirs.fill(EVENTS, Number(flags.users));
  await registerSchema(registry.url);
  results.note(
    "CPU is that of the whole process from its start, JIT and runtime included; the machine was shared, so compare within the run.",
  );
  results.note("The peer commits every 100 ms; ours, while it is far behind, each 131,072 events of a partition or 10 s.");
  // The peer first: it waits for as many events as the topic has places, and ours activates catalogues there.
  const { folded, restored } = await theirs.foldAndRestore("eos");
  tell("Kafka Streams, exactly once", ofPeer(folded));
  const [records, cpu, whole, phase, memory] = ["restored_records", "cpu_s", "restore_to_running_s", "restore_phase_s", "rss_mb"].map(
    (name) => restored[name] ?? 0,
  ) as [number, number, number, number, number];
  restores.row("Kafka Streams, exactly once", records, round(cpu), round(whole), round(phase), Math.round(memory));
  tell("Kafka Streams, at least once", ofPeer(await theirs.fold("alo")));
  const data = join(scratch.path, "data");
  const own = await ours(brokers, registry.url, "bench", data, EVENTS);
  tell("kindred, exactly once (it has no other)", own.measured);
  results.note(`kindred: ${own.threads}.`);
  const before = await rowsOf(own.server.url);
  await own.server.kill();
  const { stored, logged, written } = await rowBytes(brokers, "bench.changelog", data);
  results.note(
    `A row: ${ROW_BYTES_PEER} bytes at the peer, in RocksDB and changelog alike; of ours ${Math.round(stored)} in RocksDB and ` +
      `${Math.round(logged)} in the changelog, which got ${written} of them.`,
  );
  await results.write();
  await rm(data, { recursive: true });
  const again = await ours(brokers, registry.url, "bench", data, EVENTS);
  const after = await rowsOf(again.server.url);
  await again.server.stop();
  if (after !== before) throw new Error(`the rows were ${before}, and are ${after} after the restore`);
  const { records: read, seconds, given } = restoredBy(again.server.logText, again.started);
  const { measured } = again;
  restores.row("kindred", read, round(measured.cpu), round(measured.seconds), round(seconds), Math.round(measured.peakMb));
  restores.note(
    `kindred waits ${round(given)} s for the group: kafkajs has no static members, so the killed one's session (${SESSION_MS / 1000} s here) has to ` +
      "end; the peer is one, and does not wait.",
  );
  await restores.write();
} finally {
  await registry.stop();
  await theirs.stop();
  await sleep(3_000);
  await scratch.remove();
}
