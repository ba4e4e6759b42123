/**
 * How long until behaviour that was produced to the topic shows in an answer: RATE events a second by a producer in its own process, one updater,
 * one recall node, a broker. Asked from outside, PROBES times a second: (1) an event is produced, then a recall of its user is asked with
 * `after=` its place in the topic, from before the produce request until the answer; (2) the same from when the broker has acknowledged
 * the event; (3) others: X plays what Y plays, until X stands in Y's answer.
 *
 *   npm run -s bench -- kafka-freshness [--seconds 30] [--rate 2000] [--users 20000] [--partitions 8,4] [--intervals 20]
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { Kafka, logLevel, Partitioners, type Producer } from "kafkajs";
import type { Offset, Partition } from "../schemas/ids.js";
import { formatPosition } from "../schemas/position.js";
import { LoadClient, steadily } from "../test/harness/http-load.js";
import { startBroker, type TestBroker } from "../test/harness/kafka-broker.js";
import { getJson, KindredCluster, type RowsAnswer } from "../test/harness/kafka-cluster.js";
import { sleep } from "../test/harness/kindred-process.js";
import { startProducer } from "./harness/event-producer.js";
import { cpuSecondsOf } from "./harness/process-figures.js";
import { quantile, Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "30" },
    rate: { type: "string", default: "2000" },
    users: { type: "string", default: "20000" },
    partitions: { type: "string", default: "8,4" },
    intervals: { type: "string", default: "20" },
  },
});
const [seconds, rate, users] = [Number(flags.seconds), Number(flags.rate), Number(flags.users)];
const PROBES = 20;
/** Of the probes, one in so many asks for the neighbour. */
const NEIGHBOUR_EVERY = 10;
const PATIENCE_MS = 5_000;
/** The first seconds compile and fill caches. */
const WARM_UP_MS = 10_000;

const results = new Results(
  "kafka-freshness",
  `${rate} events a second of ${users} users produced to Kafka, one updater, one recall node; ${PROBES} probes a second for ${seconds} s.`,
  [
    "partitions",
    "kafka.commitIntervalMs",
    "produced → recalled: p50 ms",
    "p99 ms",
    "acknowledged → recalled: p50 ms",
    "p99 ms ",
    "X shows in Y's answer: p50 ms",
    "p99 ms  ",
    "not in time",
    "CPU s a second: updater",
    "recall node",
    "broker",
  ],
);

interface Probes {
  readonly fromProduce: number[];
  readonly fromAck: number[];
  readonly neighbour: number[];
  late: number;
}

class Prober {
  readonly probes: Probes = { fromProduce: [], fromAck: [], neighbour: [], late: 0 };

  constructor(
    private readonly producer: Producer,
    private readonly topic: string,
    private readonly client: LoadClient,
  ) {}

  async probe(i: number): Promise<void> {
    const user = `marker${i % 500}`;
    const started = performance.now();
    const after = await this.produce(user, [`song:${i % 60}`]);
    const acknowledged = performance.now();
    const { body } = await this.client.get(`/v1/recall/u2u?user=${user}&limit=50&after=${after}&waitMs=${PATIENCE_MS}`);
    if (!(JSON.parse(body) as { fresh: boolean }).fresh) this.probes.late++;
    const now = performance.now();
    this.probes.fromProduce.push(now - started);
    this.probes.fromAck.push(now - acknowledged);
    if (i % NEIGHBOUR_EVERY === 0) await this.neighbour(i);
  }

  /** X is new and plays just what Y, also new, plays: how long until Y's answer has X? */
  private async neighbour(i: number): Promise<void> {
    const [x, y] = [`x${i}`, `y${i}`];
    const songs = [0, 1, 2].map((k) => `song:probe-${i}-${k}`);
    const after = await this.produce(y, songs);
    await this.client.get(`/v1/recall/u2u?user=${y}&limit=10&after=${after}&waitMs=${PATIENCE_MS}`);
    const started = performance.now();
    await this.produce(x, songs);
    for (;;) {
      const { body } = await this.client.get(`/v1/recall/u2u?user=${y}&limit=10`);
      if ((JSON.parse(body) as { results: { id: string }[] }).results.some(({ id }) => id === x)) break;
      if (performance.now() - started > PATIENCE_MS) {
        this.probes.late++;
        break;
      }
      await sleep(1);
    }
    this.probes.neighbour.push(performance.now() - started);
  }

  private async produce(user: string, items: readonly string[]): Promise<string> {
    const messages = items.map((item) => ({ key: user, value: JSON.stringify({ user, item, action: "play", ts: Date.now() }) }));
    const [sent] = await this.producer.send({ topic: this.topic, messages, acks: -1 });
    const next = Number(sent?.baseOffset) + messages.length;
    return formatPosition(new Map([[sent?.partition as Partition, next as Offset]]));
  }
}

async function measure(broker: TestBroker, partitions: string, interval: string): Promise<void> {
  const cluster = new KindredCluster(broker, `fresh-${partitions}-${interval}`, {
    KINDRED_KAFKA__PARTITIONS: partitions,
    KINDRED_KAFKA__COMMIT_INTERVAL_MS: interval,
  });
  const topic = `${cluster.name}.events`;
  const kafka = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.ERROR });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  let load: ReturnType<typeof startProducer> | undefined;
  let client: LoadClient | undefined;
  try {
    const updater = await cluster.start("updater");
    const recall = await cluster.start("recall");
    await producer.connect();
    await startProducer({ brokers: broker.brokers, topic, users, count: 3 * users, inTurn: true }).done;
    while ((await getJson<RowsAnswer>(`${recall.url}/v1/state/hash`)).rows < users) await sleep(200);
    load = startProducer({ brokers: broker.brokers, topic, users, rate });
    await sleep(WARM_UP_MS);
    client = new LoadClient(recall.url, 16);
    const prober = new Prober(producer, topic, client);
    const pids = [updater.child.pid, recall.child.pid, broker.pid] as number[];
    const before = pids.map(cpuSecondsOf);
    await steadily(PROBES, seconds, (i) => prober.probe(i));
    const cpu = pids.map((pid, i) => round((cpuSecondsOf(pid) - (before[i] as number)) / seconds, 2));
    const { fromProduce, fromAck, neighbour, late } = prober.probes;
    const both = (values: readonly number[]): [number, number] => [round(quantile(values, 0.5)), round(quantile(values, 0.99))];
    results.row(Number(partitions), Number(interval), ...both(fromProduce), ...both(fromAck), ...both(neighbour), late, ...cpu);
  } finally {
    client?.close();
    await load?.stop().catch(console.error);
    await producer.disconnect();
    await cluster.close();
  }
}

const broker = await startBroker({ forLoad: true });
try {
  for (const partitions of flags.partitions.split(","))
    for (const interval of flags.intervals.split(",")) await measure(broker, partitions, interval);
  results.note(`load average over the minute that ended with the run: ${round(loadavg()[0] ?? 0)}, of which about two are the run's own`);
  await results.write();
} finally {
  await broker.stop();
}
