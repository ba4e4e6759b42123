import type { EachBatchPayload, Kafka, KafkaMessage } from "kafkajs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { buildConfig } from "../../../schemas/config-validation.js";
import type { KindredError } from "../../../schemas/errors.js";
import type { Offset, Partition } from "../../../schemas/ids.js";
import { PartitionSource } from "../../../streams/kafka/partition-source.js";

const WATCHDOG_MS = 4_000;
const CAPACITY = 4;
const P0 = 0 as Partition;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const settings = buildConfig([
  { where: () => "test", values: { source: { kind: "kafka" }, kafka: { brokers: "nowhere:1", format: "json", watchdogMs: WATCHDOG_MS } } },
]).kafka;

/** A member whose fetches bring what the test says: a broker cannot be told to leave a partition alone. */
class Member {
  high = 0;
  private readonly heard: { readonly name: string; readonly listener: (event: { payload: unknown }) => void }[] = [];
  eachBatch: (payload: EachBatchPayload) => Promise<void> = async () => undefined;
  private next = 0;

  get kafka(): Kafka {
    const nothing = async (): Promise<void> => undefined;
    const consumer = {
      events: { GROUP_JOIN: "join", HEARTBEAT: "beat", END_BATCH_PROCESS: "end", CRASH: "crash", STOP: "stop" },
      on: (name: string, listener: (event: { payload: unknown }) => void) => this.heard.push({ name, listener }),
      run: async ({ eachBatch }: Pick<Member, "eachBatch">) => {
        this.eachBatch = eachBatch;
      },
      ...{ connect: nothing, subscribe: nothing, disconnect: nothing, commitOffsets: nothing, pause() {}, resume() {}, seek() {} },
    };
    const fetchTopicOffsets = async () => [{ partition: 0, low: "0", high: String(this.high), offset: String(this.high) }];
    const admin = { connect: nothing, disconnect: nothing, fetchTopicOffsets };
    return { consumer: () => consumer, admin: () => admin } as unknown as Kafka;
  }

  join(): void {
    for (const { name, listener } of this.heard)
      if (name === "join") listener({ payload: { memberAssignment: { [settings.topics.events]: [0] } } });
  }

  /** One more record is fetched. */
  fetch(): Promise<void> {
    const offset = String(this.next++);
    const messages = [{ offset, key: null, value: Buffer.from("{}"), timestamp: "1", headers: {} }] as unknown as KafkaMessage[];
    const batch = { topic: settings.topics.events, partition: 0, highWatermark: String(this.high), messages, lastOffset: () => offset };
    return this.eachBatch({ batch, resolveOffset() {}, heartbeat: async () => undefined } as unknown as EachBatchPayload);
  }
}

describe("PartitionSource's watchdog", () => {
  let member: Member;
  let source: PartitionSource;
  let failures: KindredError[];
  beforeEach(async () => {
    vi.useFakeTimers();
    member = new Member();
    failures = [];
    source = new PartitionSource({
      kafka: member.kafka,
      settings,
      partitions: 1,
      capacity: CAPACITY,
      log: silent,
      onAssigned: () => undefined,
      onFailed: (error) => failures.push(error),
    });
    await source.start();
    member.join();
  });
  afterEach(async () => {
    await source.stop();
    vi.useRealTimers();
  });
  const codes = () => failures.map(({ code }) => code);

  it("says NOT_FETCHED, once, of a partition that is ours and behind and of which nothing comes", async () => {
    source.open(P0, 0 as Offset);
    member.high = 10;
    await vi.advanceTimersByTimeAsync(WATCHDOG_MS);
    expect(codes()).toEqual([]);
    await vi.advanceTimersByTimeAsync(WATCHDOG_MS);
    expect(codes()).toEqual(["NOT_FETCHED"]);
    expect(failures[0]?.message).toContain("it goes on to 10");
    await vi.advanceTimersByTimeAsync(3 * WATCHDOG_MS);
    expect(codes()).toEqual(["NOT_FETCHED"]);
  });

  it("is silent while something comes, however slowly, and where there is nothing to come", async () => {
    source.open(P0, 0 as Offset);
    await vi.advanceTimersByTimeAsync(5 * WATCHDOG_MS);
    member.high = 10;
    for (let i = 0; i < CAPACITY - 1; i++) {
      await vi.advanceTimersByTimeAsync(WATCHDOG_MS * 0.75);
      await member.fetch();
    }
    expect(codes()).toEqual([]);
  });

  it("is silent where the pipeline has not room for more: that is no fault of the fetching", async () => {
    source.open(P0, 0 as Offset);
    member.high = 10;
    for (let i = 0; i < CAPACITY; i++) await member.fetch();
    await vi.advanceTimersByTimeAsync(5 * WATCHDOG_MS);
    expect(codes()).toEqual([]);
  });

  it("is silent of a partition that is another's by now, and speaks again when it is ours", async () => {
    source.open(P0, 0 as Offset);
    member.high = 10;
    await vi.advanceTimersByTimeAsync(WATCHDOG_MS * 0.75);
    source.close(P0);
    await vi.advanceTimersByTimeAsync(5 * WATCHDOG_MS);
    expect(codes()).toEqual([]);
    source.open(P0, 0 as Offset);
    await vi.advanceTimersByTimeAsync(2 * WATCHDOG_MS);
    expect(codes()).toEqual(["NOT_FETCHED"]);
  });

  it("says TOPIC_MISMATCH of a topic that ends before what was fetched", async () => {
    source.open(P0, 5 as Offset);
    member.high = 3;
    await vi.advanceTimersByTimeAsync(WATCHDOG_MS / 2);
    expect(codes()).toEqual(["TOPIC_MISMATCH"]);
  });
});
