import { type Kafka, type Message, Partitioners, type Producer } from "kafkajs";
import { KindredError } from "../../schemas/errors.js";
import type { EpochMs, Offset, Partition } from "../../schemas/ids.js";
import { offsetOf, withAdmin } from "./topics.js";

/** A record on its way to a topic; its partition is chosen beforehand, so that each can be told apart in what the broker answers. */
export interface OutRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer | null;
  /** null deletes the key of a compacted topic. */
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timestamp?: EpochMs;
}

/** Most records of one send: kafkajs copies a partition's list for each that it adds. */
const MAX_SEND_RECORDS = 4_096;
const MAX_SEND_BYTES = 8 << 20;
/** Bytes of a batch besides its records, and of a record besides its key, value and headers: the most that they are. */
const BATCH_BYTES = 61;
const RECORD_BYTES = 32;
/** What brokers take where their configuration says nothing. */
const DEFAULT_MAX_BYTES = 1_048_588;
const CONFIG_OF_TOPIC = 2;

const partitioner = Partitioners.DefaultPartitioner();

/** The partition of a key, as all Kafka clients choose it (murmur2). */
export const partitionOf = (topic: string, key: Buffer, partitions: number): Partition =>
  partitioner({ topic, partitionMetadata: new Array(partitions), message: { key, value: null } }) as Partition;

/** Most bytes that the record takes on a topic. */
export function bytesOf({ key, value, headers = {} }: OutRecord): number {
  let bytes = RECORD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, text] of Object.entries(headers)) bytes += 10 + Buffer.byteLength(name) + Buffer.byteLength(text);
  return bytes;
}

/** How large a batch each topic takes. */
export class TopicLimits {
  private readonly limits = new Map<string, number>();

  /** Asks the brokers; those who may not ask go by what brokers take as a rule. */
  async load(kafka: Kafka, topics: readonly string[]): Promise<this> {
    const resources = topics.map((name) => ({ type: CONFIG_OF_TOPIC, name, configNames: ["max.message.bytes"] }));
    const answer = await withAdmin(kafka, (admin) =>
      admin.describeConfigs({ resources, includeSynonyms: false }).catch(() => ({ resources: [] })),
    );
    for (const { resourceName, configEntries } of answer.resources) {
      const bytes = Number(configEntries.find(({ configName }) => configName === "max.message.bytes")?.configValue);
      if (bytes > 0) this.limits.set(resourceName, bytes);
    }
    return this;
  }

  of(topic: string): number {
    return this.limits.get(topic) ?? DEFAULT_MAX_BYTES;
  }

  /** @throws KindredError EVENT_TOO_LARGE */
  check(record: OutRecord): void {
    const bytes = BATCH_BYTES + bytesOf(record);
    if (bytes > this.of(record.topic)) throw tooLarge(record.topic, bytes, this.of(record.topic));
  }
}

export const tooLarge = (topic: string, bytes: number, limit?: number): KindredError =>
  new KindredError("EVENT_TOO_LARGE", `a record of ${bytes} bytes is more than ${topic} takes${limit === undefined ? "" : ` (${limit})`}`);

/** Tells how many records fit into one send: a partition's part of it becomes one batch, which the broker takes as a whole or not. */
export class SendRoom {
  private records = 0;
  private bytes = 0;
  private readonly byPartition = new Map<string, number>();

  constructor(private readonly limits: TopicLimits) {}

  /** Whether the record fits besides those that did; the first always does. */
  fits(record: OutRecord): boolean {
    const bytes = bytesOf(record);
    const place = placeOf(record);
    const ofPartition = (this.byPartition.get(place) ?? BATCH_BYTES) + bytes;
    const full = this.records >= MAX_SEND_RECORDS || this.bytes + bytes > MAX_SEND_BYTES || ofPartition > this.limits.of(record.topic);
    if (full && this.records > 0) return false;
    this.records++;
    this.bytes += bytes;
    this.byPartition.set(place, ofPartition);
    return true;
  }
}

export const placeOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }): string => `${topic}/${partition}`;

/** Sends records in one request a broker. @returns where each of them lies */
export async function sendRecords(sender: Pick<Producer, "sendBatch">, records: readonly OutRecord[]): Promise<Offset[]> {
  const byTopic = new Map<string, Message[]>();
  for (const { topic, timestamp, headers, ...record } of records) {
    const messages = byTopic.get(topic) ?? [];
    if (messages.length === 0) byTopic.set(topic, messages);
    messages.push({ ...record, ...(headers && { headers }), ...(timestamp !== undefined && { timestamp: String(timestamp) }) });
  }
  const answers = await sender.sendBatch({ acks: -1, topicMessages: [...byTopic].map(([topic, messages]) => ({ topic, messages })) });
  const next = new Map(answers.map(({ topicName, partition, baseOffset }) => [placeOf({ topic: topicName, partition }), baseOffset]));
  return records.map((record) => {
    const at = next.get(placeOf(record));
    if (at === undefined) throw new KindredError("BROKER_FAILED", `the broker did not say where records of ${placeOf(record)} lie`);
    next.set(placeOf(record), String(Number(at) + 1));
    return offsetOf(at);
  });
}

/** Sends any number of records, one send after the other. @returns where each of them lies */
export async function sendInPieces(
  sender: Pick<Producer, "sendBatch">,
  records: readonly OutRecord[],
  limits: TopicLimits,
): Promise<Offset[]> {
  const offsets: Offset[] = [];
  while (offsets.length < records.length) {
    const room = new SendRoom(limits);
    let end = offsets.length;
    while (end < records.length && room.fits(records[end] as OutRecord)) end++;
    for (const offset of await sendRecords(sender, records.slice(offsets.length, end))) offsets.push(offset);
  }
  return offsets;
}

/** How far the records of a topic reach, by partition. */
export function positionAfter(topic: string, records: readonly OutRecord[], offsets: readonly Offset[]): Map<Partition, Offset> {
  const position = new Map<Partition, Offset>();
  records.forEach((record, i) => {
    if (record.topic === topic) position.set(record.partition as Partition, offsets[i] as Offset);
  });
  return position;
}
