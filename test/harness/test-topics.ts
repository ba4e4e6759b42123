import { randomUUID } from "node:crypto";
import {
  type Admin,
  CompressionTypes,
  type Consumer,
  type EachBatchPayload,
  type IHeaders,
  Kafka,
  type KafkaConfig,
  logLevel,
  type Message,
  Partitioners,
  type Producer,
} from "kafkajs";

export interface ReadRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly timestamp: number;
}

export interface Watermarks {
  readonly partition: number;
  /** The offset of the first record that is kept. */
  readonly low: number;
  /** The offset that the next record will get. */
  readonly high: number;
}

export interface TopicOptions {
  readonly partitions?: number;
  /** e.g. `{ "cleanup.policy": "compact" }`. */
  readonly config?: Readonly<Record<string, string>>;
}

/** A test that reads for longer waits for something that doesn't come, e.g. the end of a transaction. */
const READ_WITHIN_MS = 20_000;

/** Topics of a test: made under names that nobody else has, filled and read by kafkajs; gone when closed. */
export class TestTopics {
  private readonly kafka: Kafka;
  private readonly created: string[] = [];
  private readonly groups: string[] = [];
  private connectedAdmin: Promise<Admin> | undefined;
  private connectedProducer: Promise<Producer> | undefined;

  constructor(brokers: string, config: Partial<KafkaConfig> = {}) {
    this.kafka = new Kafka({ clientId: "kindred-tests", logLevel: logLevel.NOTHING, ...config, brokers: brokers.split(",") });
  }

  admin(): Promise<Admin> {
    const admin = this.kafka.admin();
    this.connectedAdmin ??= admin.connect().then(() => admin);
    return this.connectedAdmin;
  }

  /** Creates a topic `name` and something random. @returns its name */
  async topic(name: string, { partitions = 1, config = {} }: TopicOptions = {}): Promise<string> {
    const topic = `${name}-${randomUUID().slice(0, 8)}`;
    const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }));
    const admin = await this.admin();
    await admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }],
    });
    this.created.push(topic);
    return topic;
  }

  /** Durable when it resolves. Codecs other than gzip are kcat's: `-z zstd`. */
  async produce(topic: string, messages: readonly Message[], compression = CompressionTypes.None): Promise<void> {
    const producer = await this.producer();
    await producer.send({ topic, messages: [...messages], acks: -1, compression });
  }

  async watermarks(topic: string): Promise<Watermarks[]> {
    const offsets = await (await this.admin()).fetchTopicOffsets(topic);
    return offsets
      .map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }))
      .sort((a, b) => a.partition - b.partition);
  }

  /** What is committed, up to where the topic ends now, by partition and offset. Only gzip is unpacked unless a codec is registered. */
  async read(topic: string, timeoutMs = READ_WITHIN_MS): Promise<ReadRecord[]> {
    const left = new Map((await this.watermarks(topic)).filter(({ low, high }) => high > low).map((w) => [w.partition, w.high]));
    if (left.size === 0) return [];
    const groupId = `kindred-tests-${randomUUID()}`;
    this.groups.push(groupId);
    const consumer = this.kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
    const records: ReadRecord[] = [];
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      const read = readUntil(consumer, left, timeoutMs);
      await consumer.run({ autoCommit: false, eachBatch: async (payload) => void records.push(...recordsOf(payload)) });
      await read;
    } finally {
      await consumer.disconnect();
    }
    return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  }

  /** Deletes what was made here, and closes the connections. */
  async close(): Promise<void> {
    const admin = await this.admin();
    if (this.groups.length > 0) await admin.deleteGroups(this.groups).catch(() => undefined);
    if (this.created.length > 0) await admin.deleteTopics({ topics: this.created }).catch(() => undefined);
    await (await this.connectedProducer)?.disconnect();
    await admin.disconnect();
  }

  private producer(): Promise<Producer> {
    const producer = this.kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    this.connectedProducer ??= producer.connect().then(() => producer);
    return this.connectedProducer;
  }
}

/** Resolves when each partition was read to its end; batches of nothing but aborted or control records count as read. */
function readUntil(consumer: Consumer, ends: ReadonlyMap<number, number>, timeoutMs: number): Promise<void> {
  const left = new Map(ends);
  return new Promise((resolve, reject) => {
    const told = (): string => [...left].map(([partition, end]) => `partition ${partition} to ${end}`).join(", ");
    const timer = setTimeout(() => reject(new Error(`not read within ${timeoutMs} ms: ${told()}`)), timeoutMs);
    // What passes, e.g. a coordinator that is still loading, kafkajs begins again by itself.
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) reject(payload.error);
    });
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
      if (Number(lastOffset) + 1 >= (left.get(partition) ?? Number.POSITIVE_INFINITY)) left.delete(partition);
      if (left.size > 0) return;
      clearTimeout(timer);
      resolve();
    });
  });
}

const recordsOf = ({ batch }: EachBatchPayload): ReadRecord[] =>
  batch.messages.map(({ offset, key, value, headers, timestamp }) => ({
    partition: batch.partition,
    offset: Number(offset),
    key,
    value,
    headers: textHeaders(headers ?? {}),
    timestamp: Number(timestamp),
  }));

/** Of a header that is given several times, the last. */
const textHeaders = (headers: IHeaders): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(Array.isArray(value) ? value.at(-1) : value)]));
