/** Runs as a process: produces behaviour events until it has enough or is told to end, then prints how many were acknowledged. */
import { Kafka, logLevel, Partitioners } from "kafkajs";
import type { BehaviourEvent } from "../../schemas/event.js";
import { jsonCodec, registryCodec } from "../../streams/registry/event-codec.js";
import { sleep } from "../../test/harness/kindred-process.js";
import { seededRandom } from "../../test/harness/seeded-random.js";
import type { ProducerOptions } from "./event-producer.js";

/** What an application's producer waits for company. */
const LINGER_MS = 5;
/** Events of one request where there is no rate. */
const FULL_BATCH = 4_000;

const {
  brokers,
  topic,
  users,
  count = Number.POSITIVE_INFINITY,
  rate,
  seed = 1,
  inTurn = false,
  registry,
} = JSON.parse(process.argv[2] as string) as ProducerOptions;
const log = { debug: () => undefined, info: () => undefined, warn: console.error, error: console.error };
const codec = registry ? registryCodec({ ...registry, username: "", password: "", caFile: "", log }) : jsonCodec();
const encode = await codec.eventEncoder(topic);
const random = seededRandom(seed);
/** People of one of 200 tastes play its 60 songs. */
const message = (number: number): { key: string; value: Buffer } => {
  const user = inTurn ? number % users : random(users);
  const event = {
    user: `u${user}`,
    item: `song:${(user % 200) * 60 + random(60)}`,
    type: "song",
    action: "play",
    ts: Date.now(),
  } as BehaviourEvent;
  return { key: event.user, value: encode(event) };
};

const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.ERROR });
const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner });
let stopped = false;
process.once("SIGTERM", () => {
  stopped = true;
});
await producer.connect();
const began = performance.now();
let produced = 0;
while (!stopped && produced < count) {
  const due = rate === undefined ? produced + FULL_BATCH : Math.floor(((performance.now() - began) / 1000) * rate);
  const many = Math.min(FULL_BATCH, due - produced, count - produced);
  if (many > 0) {
    const messages = Array.from({ length: many }, (_, i) => message(produced + i));
    await producer.send({ topic, messages, acks: -1 });
    produced += many;
  }
  if (rate !== undefined) await sleep(LINGER_MS);
}
await producer.disconnect();
await codec.close();
console.log(produced);
