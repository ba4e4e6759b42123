import { setTimeout as sleep } from "node:timers/promises";
import type { Admin, ITopicConfig, Kafka } from "kafkajs";
import { KindredError } from "../../schemas/errors.js";
import type { Offset, Partition } from "../../schemas/ids.js";
import type { KafkaSettings } from "./client.js";
import { asKindredError, typeOf } from "./kafka-errors.js";
import { withUncommitted } from "./kafkajs-cluster.js";

/** Where a partition of a topic begins and ends; an end is the place of the next record. */
export interface Watermarks {
  readonly low: number;
  readonly high: number;
}

const COMPACTED = [{ name: "cleanup.policy", value: "compact" }];
/** Rows are rewritten all the time: the topic is cleaned when half of it is old. */
const CHANGELOG = [...COMPACTED, { name: "min.cleanable.dirty.ratio", value: "0.5" }];

/** kindred counts records from 1, Kafka from 0: a position of ours is what Kafka calls the next offset to read. */
export const offsetOf = (kafkaOffset: string): Offset => (Number(kafkaOffset) + 1) as Offset;

/**
 * Makes the topics that are not there. Those that are stay as they are.
 * @returns how many partitions events have
 * @throws KindredError TOPIC_MISMATCH (changelog and events have not the same partitions), BROKER_FAILED
 */
export async function ensureTopics(kafka: Kafka, settings: KafkaSettings): Promise<number> {
  return withAdmin(kafka, async (admin) => {
    const { topics, partitions, replicationFactor } = settings;
    const known = new Set(await admin.listTopics());
    const events = known.has(topics.events) ? await partitionsOf(admin, topics.events) : partitions;
    const one = (topic: string, count: number, configEntries: ITopicConfig["configEntries"] = COMPACTED): ITopicConfig => ({
      topic,
      numPartitions: count,
      replicationFactor,
      configEntries,
    });
    const wanted = [
      one(topics.events, events, []),
      one(topics.changelog, events, CHANGELOG),
      one(topics.items, 1),
      one(topics.deadLetters, 1),
      one(topics.catalogues, 1),
      one(topics.generations, 1),
      one(topics.files, 1),
    ];
    const missing = wanted.filter(({ topic }) => !known.has(topic));
    // Another process may be making them right now: kafkajs says false then, and throws where one of several is there.
    if (missing.length > 0) await admin.createTopics({ topics: missing, waitForLeaders: true }).catch(ignoreExisting);
    const changelog = await partitionsOf(admin, topics.changelog);
    if (changelog !== events) throw partitionsDiffer(topics, events, changelog);
    return events;
  });
}

export const partitionsDiffer = (topics: KafkaSettings["topics"], events: number, changelog: number): KindredError =>
  new KindredError(
    "TOPIC_MISMATCH",
    `${topics.events} has ${events} partitions and ${topics.changelog} ${changelog}: new events of a user may be in another partition than ` +
      "the row, so nothing is folded; make a new events topic, replay into it, and name a new changelog and group",
  );

/** Where a reader is cannot be a place of the topic that it was reading. */
export const endsBefore = (topic: string, partition: number, end: number, next: number): KindredError =>
  new KindredError(
    "TOPIC_MISMATCH",
    `${topic} ends at ${end}, before the position ${next}: it was emptied or made anew; name a new group, changelog topic and data directory to begin anew`,
    `partition ${partition}`,
  );

/** A topic was just made, its broker just started, or its leader has moved: passes, yet kafkajs gives up at once, with what it knew of the topic. */
const UNLED: readonly (string | undefined)[] = ["NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "UNKNOWN_TOPIC_OR_PARTITION"];
const UNLED_TRIES = 50;
const UNLED_MS = 200;

/** Runs `work` with an admin client; again where a partition has no leader yet. @throws KindredError BROKER_FAILED */
export async function withAdmin<T>(kafka: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await withOneAdmin(kafka, work);
    } catch (error) {
      if (tries === UNLED_TRIES || !UNLED.includes(typeOf(error))) throw asKindredError(error, "the brokers could not be asked");
    }
    await sleep(UNLED_MS);
  }
}

async function withOneAdmin<T>(kafka: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

export async function partitionsOf(admin: Admin, topic: string): Promise<number> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return topics[0]?.partitions.length ?? 0;
}

/** Where each partition of a topic begins, and ends for a reader of committed records. @throws KindredError BROKER_FAILED */
export const readableEndsOf = (kafka: Kafka, topic: string): Promise<Map<Partition, Watermarks>> =>
  withAdmin(kafka, (admin) => watermarksOf(admin, topic));

async function watermarksOf(admin: Admin, topic: string): Promise<Map<Partition, Watermarks>> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return new Map(offsets.map(({ partition, low, high }) => [partition as Partition, { low: Number(low), high: Number(high) }]));
}

/**
 * Where each partition of a topic ends, with what is not committed yet, or is and cannot be read yet: a transaction is acknowledged before its markers
 * are written. Who has read to here has read all that was committed before the call.
 */
export const endsOf = (kafka: Kafka, topic: string): Promise<Map<Partition, Watermarks>> =>
  withAdmin(withUncommitted(kafka), (admin) => watermarksOf(admin, topic));

function ignoreExisting(error: unknown): void {
  const nested = (error as { errors?: readonly { type?: string }[] }).errors ?? [];
  if (nested.length === 0 || nested.some(({ type }) => type !== "TOPIC_ALREADY_EXISTS")) throw error;
}
