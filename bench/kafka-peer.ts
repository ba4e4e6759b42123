/**
 * The update path over Kafka beside the Kafka Streams application of `../shared/peers/kafka-streams`: the same broker and topic (2 million
 * events of 100,000 Zipf users), the same work (64 accumulators, 64 dimensions, the last 64 items), at least once and exactly once, one
 * process each, CPU of the whole process from its start on.
 *
 *   npm run -s bench -- kafka-peer [--peer ../shared/peers/kafka-streams] [--events 2000000] [--users 100000]
 */
import { type ChildProcess, execFile } from "node:child_process";
import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { openRocksStore } from "../state/rocks-store.js";
import { KafkaTopics } from "../test/harness/kafka-topics.js";
import { KindredServer, projectRoot, sleep, temporaryDirectory } from "../test/harness/kindred-process.js";
import { startRegistry } from "../test/harness/schema-registry.js";
import { freePorts } from "../test/harness/server-process.js";
import { Results, round } from "./harness/results.js";

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
const run = promisify(execFile);

interface Measured {
  readonly seconds: number;
  readonly cpu: number;
  /** CPU microseconds an event of the second half; ours does not tell how much is folded before it is committed. */
  readonly warmUs?: number;
  readonly peakMb: number;
}

/** A copy of the peer, on ports that nobody has: its own are those of whoever tries it by hand. */
async function copyPeer(to: string): Promise<string> {
  const [broker = 0, controller = 0] = await freePorts(2);
  await cp(flags.peer, to, { recursive: true });
  await run("chmod", ["-R", "u+w", to]);
  for (const name of ["start-kafka.sh", "broker/server.properties"]) {
    const text = await readFile(join(to, name), "utf8");
    await writeFile(join(to, name), text.replaceAll("19192", String(broker)).replaceAll("19193", String(controller)));
  }
  return `127.0.0.1:${broker}`;
}

async function peer(directory: string, brokers: string, mode: string): Promise<Measured> {
  const env = { ...process.env, BOOTSTRAP: brokers };
  const { stdout } = await run(join(directory, "run.sh"), [mode, "1"], { env, maxBuffer: 1 << 26 });
  const line = JSON.parse(stdout.trim().split("\n").at(-1) as string) as Record<string, number>;
  const [seconds = 0, cpu = 0, warmUs = 0, peakMb = 0] = ["seconds", "cpu_total_s", "half2_cpu_us_per_event", "rss_mb"].map(
    (name) => line[name],
  );
  return { seconds, cpu, warmUs, peakMb };
}

async function registerSchema(url: string): Promise<void> {
  const answer = await fetch(`${url}/subjects/${TOPIC}-value/versions`, {
    method: "POST",
    headers: { "content-type": "application/vnd.schemaregistry.v1+json" },
    body: JSON.stringify({ schema: JSON.stringify(SCHEMA) }),
  });
  const { id } = (await answer.json()) as { id?: number };
  if (id !== SCHEMA_ID) throw new Error(`the registry gave the schema the id ${id}; the values name ${SCHEMA_ID}`);
}

/** What the API says has been committed, of all partitions. */
async function committed(url: string): Promise<number> {
  const { position } = (await (await fetch(`${url}/v1/state/hash`)).json()) as { position: string };
  const parts = position.split("-").slice(1);
  return parts.reduce((sum, part) => sum + Number.parseInt(part.split(".")[1] ?? "0", 36), 0);
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

/** Our updater over the topic, from nothing to its end. @returns also where its state is, and where its CPU went */
async function ours(brokers: string, registry: string, group: string, data: string, ends: number) {
  const topics = ["items", "changelog", "dead_letters", "catalogues", "generations", "files"];
  const env: Record<string, string> = {
    KINDRED_SOURCE__KIND: "kafka",
    KINDRED_KAFKA__BROKERS: brokers,
    KINDRED_KAFKA__GROUP_ID: group,
    KINDRED_KAFKA__TOPICS__EVENTS: TOPIC,
    KINDRED_REGISTRY__URL: registry,
    KINDRED_GENERATION0__DIMS: "64",
    KINDRED_FOLD__PROFILE_ITEMS: "64",
    KINDRED_FOLD__IDEMPOTENCY_RING: "0",
    KINDRED_LOGGING__LEVEL: "warn",
    ...Object.fromEntries(topics.map((name) => [`KINDRED_KAFKA__TOPICS__${name.toUpperCase()}`, `${group}.${name}`])),
  };
  const started = performance.now();
  const server = await KindredServer.start(data, { args: ["--role", "updater"], env });
  try {
    while ((await committed(server.url)) < ends) await sleep(100);
    const cpu = await server.cpuSeconds();
    const status = await readFile(`/proc/${server.child.pid}/status`, "utf8");
    const measured: Measured = {
      seconds: (performance.now() - started) / 1000,
      cpu,
      peakMb: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024,
    };
    return { measured, threads: await threads(server.child) };
  } finally {
    await server.stop();
  }
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
  const topics = new KafkaTopics(brokers);
  const records = (await topics.read(changelog, 120_000)).filter(({ key }) => key?.[0] === "u".charCodeAt(0));
  await topics.close();
  const newest = new Map(records.map(({ key, value }) => [String(key), value?.length ?? 0]));
  const logged = [...newest.values()].reduce((sum, length) => sum + length, 0) / newest.size;
  return { stored: bytes / rows, logged, written: records.length };
}

const scratch = await temporaryDirectory("kafka-peer");
const directory = join(scratch.path, "peer");
const brokers = await copyPeer(directory);
const registry = await startRegistry();
const results = new Results(
  "kafka-peer",
  `${EVENTS} events of ${flags.users} Zipf users in 8 partitions, folded from Kafka into RocksDB and a changelog, by one process`,
  ["who", "CPU s", "events per CPU second", "CPU us an event, second half", "wall s", "peak MB"],
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
  await run(join(directory, "fill.sh"), [flags.events, flags.users], { env: { ...process.env, BOOTSTRAP: brokers }, maxBuffer: 1 << 26 });
  await registerSchema(registry.url);
  results.note(
    "CPU is that of the whole process from its start, JIT and runtime included; the machine was shared, so compare within the run.",
  );
  results.note("The peer commits every 100 ms; ours, while it is far behind, each 131,072 events of a partition or 10 s.");
  // The peer first: it waits for as many events as the topic has places, and ours activates catalogues there.
  tell("Kafka Streams, exactly once", await peer(directory, brokers, "eos"));
  tell("Kafka Streams, at least once", await peer(directory, brokers, "alo"));
  const data = join(scratch.path, "data");
  const own = await ours(brokers, registry.url, "bench", data, EVENTS);
  tell("kindred, exactly once (it has no other)", own.measured);
  results.note(`kindred: ${own.threads}.`);
  const { stored, logged, written } = await rowBytes(brokers, "bench.changelog", data);
  results.note(
    `A row: ${ROW_BYTES_PEER} bytes at the peer, in RocksDB and changelog alike; of ours ${Math.round(stored)} in RocksDB and ` +
      `${Math.round(logged)} in the changelog, which got ${written} of them.`,
  );
  await results.write();
} finally {
  await registry.stop();
  const pid = Number(await readFile(join(directory, "broker", "broker.pid"), "utf8").catch(() => "0"));
  if (pid > 0) process.kill(pid);
  await sleep(3_000);
  await scratch.remove();
}
