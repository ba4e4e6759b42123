import { connect } from "node:net";
import { CompressionTypes, Kafka, type KafkaMessage, Partitioners } from "kafkajs";
import { compressSync } from "snappy";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Offset, Partition } from "../../schemas/ids.js";
import { unsnappy } from "../../streams/kafka/codecs.js";
import { PartitionLog } from "../../streams/kafka/partition-log.js";
import { TopicFollower } from "../../streams/kafka/topic-follower.js";
import { withAdmin } from "../../streams/kafka/topics.js";
import { kcat } from "../harness/kcat.js";
import { KafkaFixture, silent } from "./kafka-fixture.js";

const CODECS = { gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD };
/** Repetitive, so that it is compressed, and longer than any block of a codec's framing. */
const LINES = Array.from({ length: 6_000 }, (_, i) => `user-${i % 50} plays song:${i} in the made-up town of tests`);

const textOf = (records: readonly KafkaMessage[]): string[] => records.map(({ value }) => String(value));

describe("compressed topics", () => {
  const fixture = new KafkaFixture();
  beforeAll(() => fixture.open());
  afterAll(() => fixture.close());

  /** As kcat sends it, one partition. */
  const produce = (topic: string, codec: string): Promise<string> =>
    kcat(
      fixture.settings.brokers,
      ["-P", "-t", topic, "-p", "0", "-z", codec, "-X", "linger.ms=50", "-X", "batch.num.messages=10000"],
      LINES.join("\n"),
    );

  const topicFor = async (codec: string): Promise<string> => {
    const topic = `${fixture.settings.groupId}.${codec}`;
    await withAdmin(fixture.kafka, (admin) => admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true }));
    return topic;
  };

  it.each(Object.keys(CODECS))("of %s, as librdkafka writes it, are read whole and in order", async (codec) => {
    const topic = await topicFor(`rd-${codec}`);
    await produce(topic, codec);
    expect(textOf(await fixture.all(topic))).toEqual(LINES);
  });

  it.each(["gzip", "snappy", "lz4"] as const)("of %s, as we write it, are read by us and by kcat", async (codec) => {
    const topic = await topicFor(`own-${codec}`);
    const producer = fixture.kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    await producer.send({ topic, compression: CODECS[codec], messages: LINES.map((value) => ({ value })) });
    await producer.disconnect();
    expect(textOf(await fixture.all(topic))).toEqual(LINES);
    const read = await kcat(fixture.settings.brokers, ["-C", "-t", topic, "-e", "-q"]);
    expect(read.trimEnd().split("\n")).toEqual(LINES);
  });

  describe.each(["none", "gzip", "snappy", "lz4", "zstd"] as const)("damaged on the way or on the broker's disk (%s)", (codec) => {
    /** Flips a bit of whatever is long enough to be the answer to a fetch. */
    const damaging = (): Kafka =>
      new Kafka({
        brokers: [fixture.settings.brokers],
        logLevel: 0,
        socketFactory: ({ host, port, onConnect }) => {
          const socket = connect({ host, port }, onConnect);
          const emit = socket.emit.bind(socket);
          socket.emit = (name: string, ...args: unknown[]) => {
            const [chunk] = args;
            if (name === "data" && Buffer.isBuffer(chunk) && chunk.length > 2_000) chunk.writeUInt8(chunk.readUInt8(1_500) ^ 0x40, 1_500);
            return emit(name, ...args);
          };
          return socket;
        },
      });

    it("ends the reading of a topic of ours, and names topic, partition and offset", async () => {
      const topic = await topicFor(`bad-${codec}`);
      await produce(topic, codec);
      const follower = new TopicFollower(damaging(), [topic], fixture.settings, silent);
      await follower.start();
      follower.follow(topic, 0, 0, { take: () => undefined });
      await expect(follower.reached(topic, 0, LINES.length)).rejects.toMatchObject({
        code: "RECORD_UNREADABLE",
        message: expect.stringMatching(new RegExp(`damaged.*checksum.*${topic} partition 0 offset \\d+`)),
      });
      await follower.close();
    });
  });

  it("of Java's snappy, blocks in a frame, are put together; a block cut short is an error", async () => {
    const blocks = ["made-up ".repeat(500), "town ".repeat(900)];
    const framed = Buffer.concat([
      Buffer.from("82534e4150505900" + "0000000100000001", "hex"),
      ...blocks.flatMap((block) => {
        const bytes = compressSync(block);
        const head = Buffer.alloc(4);
        head.writeUInt32BE(bytes.length);
        return [head, bytes];
      }),
    ]);
    expect((await unsnappy(framed)).toString()).toBe(blocks.join(""));
    await expect(unsnappy(framed.subarray(0, framed.length - 3))).rejects.toThrow("cut short");
  });

  it("damaged, are dead letters of the events topic and no tombstones: nothing of them goes without a word", async () => {
    const log = new PartitionLog({ partition: 0 as Partition, from: 0 as Offset, capacity: 10, lingerMs: 0, onRoom: () => undefined });
    const damaged = { offset: 4, key: null, value: null, timestamp: 1, headers: {}, damage: "why" };
    log.push([damaged as unknown as KafkaMessage], 5);
    const batch = await log.read(0 as Offset, { maxRecords: 10, signal: new AbortController().signal });
    expect(batch?.records).toMatchObject([{ offset: 5, bytes: null, damage: { message: expect.stringContaining("why"), through: 5 } }]);
  });

  it("show nothing of two transactions that overlap and are aborted, the later first: the broker names them in that order", async () => {
    const topic = await topicFor("aborted");
    const producerOf = async (name: string) => {
      const producer = fixture.kafka.producer({ transactionalId: `${topic}-${name}`, idempotent: true, maxInFlightRequests: 1 });
      await producer.connect();
      return { producer, transaction: await producer.transaction() };
    };
    const [first, second] = [await producerOf("first"), await producerOf("second")];
    const send = (to: typeof first, value: string) => to.transaction.send({ topic, messages: [{ value }] });
    await send(first, "first a");
    await send(first, "first b");
    await send(second, "second");
    await second.transaction.abort();
    await first.transaction.abort();
    const third = await first.producer.transaction();
    await third.send({ topic, messages: [{ value: "committed" }] });
    await third.commit();
    for (const { producer } of [first, second]) await producer.disconnect();
    expect(textOf(await fixture.all(topic))).toEqual(["committed"]);
  });
});
