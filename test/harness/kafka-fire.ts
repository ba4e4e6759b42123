import { Kafka, logLevel, Partitioners, type Producer } from "kafkajs";
import type { BehaviourEvent } from "../../schemas/event.js";
import type { ItemId, Offset, Partition, UserId } from "../../schemas/ids.js";
import { covers, formatPosition, parsePosition } from "../../schemas/position.js";
import type { TestBroker } from "./kafka-broker.js";
import { getJson, type KindredCluster, type RowsAnswer } from "./kafka-cluster.js";
import { type KindredServer, sleep } from "./kindred-process.js";
import { seededRandom } from "./seeded-random.js";

type Member = KindredServer & { directory: string };

export type Fault = "kill" | "freeze" | "leave" | "join" | "broker restart" | "broker kill";

export interface FireOptions {
  readonly faults: number;
  readonly seed: number;
  readonly users: number;
  readonly eventsPerSecond: number;
  /** Between two faults, in milliseconds. */
  readonly pauseMs: number;
  /** How long a frozen member stands still: longer than its session. */
  readonly freezeMs: number;
  /** A join at so many members is a leave instead; 4. */
  readonly mostMembers?: number;
  /** As the topic's values are; plain JSON by default. */
  readonly encode?: (event: BehaviourEvent) => Buffer;
  /** Environment of the member that is started as number `n`. */
  readonly memberEnv?: (n: number) => Record<string, string>;
  readonly say?: (text: string) => void;
}

export interface FireReport {
  readonly faults: Readonly<Record<string, number>>;
  readonly produced: number;
  /** Of the recall node, which has read the changelogs. */
  readonly live: RowsAnswer;
  /** Of the members together: each of the rows that it owns. */
  readonly members: readonly RowsAnswer[];
  readonly replay: RowsAnswer & { readonly events: number; readonly rejected: number };
  /** Users with ids of events whose events are not as many as were produced. */
  readonly wrong: readonly { readonly user: string; readonly produced: number; readonly counted: number }[];
}

const hasIds = (user: UserId): boolean => Number(user.slice(1)) % 2 === 0;

/** Produces events without a pause and counts them by user; what a broker did not acknowledge is sent again with the same id. */
class KnownSums {
  readonly counts = new Map<string, number>();
  produced = 0;
  private stopped = false;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly producer: Producer,
    private readonly topic: string,
    private readonly options: FireOptions,
  ) {}

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    const { users, seed, eventsPerSecond, encode = (event) => Buffer.from(JSON.stringify(event)) } = this.options;
    const random = seededRandom(seed);
    const tick = 50;
    let number = 0;
    while (!this.stopped) {
      const due = performance.now() + tick;
      const messages = Array.from({ length: Math.ceil((eventsPerSecond * tick) / 1000) }, () => {
        const user = `u${random(users)}` as UserId;
        number++;
        const item = `song:${random(500)}` as ItemId;
        const ts = 1_700_000_000_000 + number;
        // Of half of the users without ids, which would hide that something was folded twice: of those the clean replay is the judge,
        // since what a broker did not acknowledge may be on the topic twice.
        const event = { user, item, type: "song", action: "play", ts, ...(hasIds(user) && { id: `e${number}` }) };
        if (hasIds(user)) this.counts.set(user, (this.counts.get(user) ?? 0) + 1);
        return { key: user, value: encode(event) };
      });
      // Sent until it is acknowledged. What an earlier try left in the topic counts once: the ids say so.
      for (;;) {
        try {
          await this.producer.send({ topic: this.topic, messages, acks: -1 });
          break;
        } catch {
          await sleep(200);
        }
      }
      this.produced += messages.length;
      await sleep(Math.max(0, due - performance.now()));
    }
  }
}

/** Members of a group come, go, freeze and are killed, and the broker too, while events are produced; then everything is counted. */
export async function fire(cluster: KindredCluster, broker: TestBroker, options: FireOptions): Promise<FireReport> {
  const { say = () => undefined } = options;
  const random = seededRandom(options.seed + 1);
  const kafka = new Kafka({
    brokers: [broker.brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 100 },
  });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner });
  const topic = `${cluster.name}.events`;
  const members: Member[] = [];
  let started = 0;
  const join = async (directory?: string): Promise<void> => {
    members.push(await cluster.start("updater", directory, options.memberEnv?.(started++)));
  };
  await join();
  await producer.connect();
  const sums = new KnownSums(producer, topic, options);
  sums.start();
  await join();
  const away: string[] = [];
  const counted: Record<string, number> = {};
  const faults: Fault[] = ["kill", "freeze", "leave", "join", "kill", "broker restart", "kill", "freeze", "broker kill", "join"];
  for (let done = 0; done < options.faults; done++) {
    await sleep(options.pauseMs * (0.5 + random(1000) / 1000));
    const next = faults[done % faults.length] as Fault;
    const kind = next === "join" && members.length >= (options.mostMembers ?? 4) ? "leave" : next;
    say(`fault ${done + 1}/${options.faults}: ${kind}, ${members.length} members, ${sums.produced} events`);
    counted[kind] = (counted[kind] ?? 0) + 1;
    await strike(kind, { broker, members, away, join, random, options });
  }
  await sums.stop();
  say(`${sums.produced} events produced`);
  const end = await endOf(kafka, topic);
  const recall = await cluster.start("recall");
  const live = await reached(recall, end, options.say);
  const wrong: { user: string; produced: number; counted: number }[] = [];
  for (const [user, produced] of sums.counts) {
    const profile = await getJson<{ events: number }>(`${recall.url}/v1/users/${user}`);
    if (profile.events !== produced) wrong.push({ user, produced, counted: profile.events });
  }
  const rows = await Promise.all(members.map((member) => getJson<RowsAnswer>(`${member.url}/v1/state/hash`)));
  const replay = await cluster.cleanReplay();
  await producer.disconnect();
  return { faults: counted, produced: sums.produced, live, members: rows, replay, wrong };
}

interface Scene {
  readonly broker: TestBroker;
  readonly members: Member[];
  /** Directories of members that are gone: one that joins may have been there before. */
  readonly away: string[];
  readonly join: (directory?: string) => Promise<void>;
  readonly random: (below: number) => number;
  readonly options: FireOptions;
}

async function strike(kind: Fault, { broker, members, away, join, random, options }: Scene): Promise<void> {
  const pick = (): Member => members.splice(random(members.length), 1)[0] as Member;
  const joins = (): Promise<void> => join(random(2) === 0 ? away.splice(0, 1)[0] : undefined);
  if (kind === "broker restart" || kind === "broker kill") {
    if (kind === "broker kill") await broker.kill();
    await broker.restart();
    return;
  }
  if (kind === "join" || members.length === 0) return joins();
  const member = pick();
  if (kind === "freeze") {
    member.child.kill("SIGSTOP");
    await sleep(options.freezeMs);
    member.child.kill("SIGCONT");
    members.push(member);
    return;
  }
  if (kind === "leave") await member.stop();
  else await member.kill();
  away.push(member.directory);
  if (kind === "kill" || members.length === 0) await joins();
}

async function endOf(kafka: Kafka, topic: string): Promise<Map<Partition, Offset>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(offsets.map(({ partition, high }) => [partition as Partition, Number(high) as Offset]));
  } finally {
    await admin.disconnect();
  }
}

/** Waits until the node has applied everything up to `end`. */
async function reached(node: KindredServer, end: Map<Partition, Offset>, say?: (text: string) => void): Promise<RowsAnswer> {
  for (let waited = 0; ; waited++) {
    const rows = await getJson<RowsAnswer>(`${node.url}/v1/state/hash`);
    if (covers(parsePosition(rows.position), end)) return rows;
    if (waited % 10 === 0) say?.(`at ${rows.position}, ${formatPosition(end)} is the end`);
    if (waited > 240) throw new Error(`the rows stay at ${rows.position}, where the topic ends at ${formatPosition(end)}`);
    await sleep(500);
  }
}
