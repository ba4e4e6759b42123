/**
 * Memory of an updater and of a recall node while the broker holds a backlog: EVENTS events are on the topic before the updater starts. First the
 * registry hangs, so that nothing can be decoded and the whole backlog waits with the broker; then it goes on and everything is folded.
 *
 *   npm run -s bench -- kafka-backlog [--events 2000000] [--users 20000] [--partitions 8] [--held 20]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Kafka, logLevel } from "kafkajs";
import { startBroker } from "../test/harness/kafka-broker.js";
import { getJson, KindredCluster, type RowsAnswer } from "../test/harness/kafka-cluster.js";
import { type KindredServer, sleep, temporaryDirectory } from "../test/harness/kindred-process.js";
import { startRegistry } from "../test/harness/schema-registry.js";
import { startProducer } from "./harness/event-producer.js";
import { residentMibOf } from "./harness/process-figures.js";
import { Results, round } from "./harness/results.js";
import { appliedOf, waitForEvents } from "./harness/topic-progress.js";

const { values: flags } = parseArgs({
  options: {
    events: { type: "string", default: "2000000" },
    users: { type: "string", default: "20000" },
    partitions: { type: "string", default: "8" },
    held: { type: "string", default: "20" },
  },
});
const [events, users, partitions, held] = [Number(flags.events), Number(flags.users), Number(flags.partitions), Number(flags.held)];
const SAMPLE_MS = 250;
const PARTS = 5;

interface Sample {
  readonly phase: "held" | "folded";
  readonly seconds: number;
  readonly folded: number;
  readonly updater: number;
  readonly recall: number;
}

const results = new Results(
  "kafka-backlog",
  `Resident memory of an updater and a recall node over a backlog of ${events} events of ${users} users in ${partitions} partitions.`,
  ["what", "seconds", "events folded at its end", "updater: MiB, mean", "most", "recall node: MiB, mean", "most "],
);
const scratch = await temporaryDirectory("bench-backlog");
const broker = await startBroker({ forLoad: true });
const registry = await startRegistry();
const cluster = new KindredCluster(broker, "backlog", {
  KINDRED_KAFKA__PARTITIONS: flags.partitions,
  KINDRED_KAFKA__FORMAT: "registry",
  KINDRED_REGISTRY__URL: registry.url,
});
try {
  await fill();
  registry.pause();
  const recall = await cluster.start("recall");
  const updater = await cluster.start("updater");
  const samples: Sample[] = [];
  const began = performance.now();
  await sampled(samples, "held", began, updater, recall, async () => sleep(held * 1000));
  registry.resume();
  await sampled(samples, "folded", began, updater, recall, () => waitForEvents(recall, events));
  publish(samples);
  await results.write();
} finally {
  registry.resume();
  await cluster.close();
  await registry.stop();
  await broker.stop();
  await scratch.remove();
}

async function fill(): Promise<void> {
  const kafka = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.ERROR });
  const topic = `${cluster.name}.events`;
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }] });
  await admin.disconnect();
  const cacheDirectory = join(scratch.path, "schemas");
  await startProducer({ brokers: broker.brokers, topic, users, count: events, registry: { url: registry.url, cacheDirectory } }).done;
}

async function sampled(
  samples: Sample[],
  phase: Sample["phase"],
  began: number,
  updater: KindredServer,
  recall: KindredServer,
  work: () => Promise<void>,
): Promise<void> {
  let running = true;
  const sampling = (async () => {
    while (running) {
      const folded = appliedOf(await getJson<RowsAnswer>(`${updater.url}/v1/state/hash`));
      const [one, other] = [updater, recall].map(({ child }) => residentMibOf(child.pid as number)) as [number, number];
      samples.push({ phase, seconds: (performance.now() - began) / 1000, folded, updater: one, recall: other });
      await sleep(SAMPLE_MS);
    }
  })();
  try {
    await work();
  } finally {
    running = false;
    await sampling;
  }
}

function publish(samples: readonly Sample[]): void {
  const waiting = samples.filter(({ phase }) => phase === "held");
  const folding = samples.filter(({ phase }) => phase === "folded");
  row("the registry hangs, everything waits: first half", waiting.slice(0, waiting.length / 2));
  row("second half", waiting.slice(waiting.length / 2));
  for (let part = 0; part < PARTS; part++) {
    const [from, to] = [part / PARTS, (part + 1) / PARTS].map((share) => share * events) as [number, number];
    row(
      `folding, ${(100 * part) / PARTS} to ${(100 * (part + 1)) / PARTS} %`,
      folding.filter(({ folded }) => folded >= from && (folded < to || part === PARTS - 1)),
    );
  }
}

function row(what: string, samples: readonly Sample[]): void {
  const last = samples.at(-1);
  if (!last) return;
  const figures = (of: (sample: Sample) => number): [number, number] => {
    const sizes = samples.map(of);
    return [round(sizes.reduce((sum, size) => sum + size, 0) / sizes.length), round(Math.max(...sizes))];
  };
  results.row(
    what,
    round(last.seconds - (samples[0]?.seconds ?? 0)),
    last.folded,
    ...figures(({ updater }) => updater),
    ...figures(({ recall }) => recall),
  );
}
