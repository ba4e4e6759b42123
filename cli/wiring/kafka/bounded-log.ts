import type { Config } from "../../../schemas/config.js";
import type { Offset, Partition } from "../../../schemas/ids.js";
import { DecodableReader } from "../../../streams/kafka/decode-kafka.js";
import { PartitionLog } from "../../../streams/kafka/partition-log.js";
import type { KafkaTopics } from "./kafka-topics.js";
import { recordsAtOnce } from "./memory-shares.js";

export interface BoundedLogParts {
  readonly config: Config;
  readonly topics: KafkaTopics;
  readonly signal: AbortSignal;
}

/** A part of a partition of the events topic, to be read to its end. */
export interface BoundedLog {
  /** Ends at the end of the part. */
  readonly reader: DecodableReader;
  readonly maxRecords: number;
  /** Resolves when everything was handed over. @throws KindredError BROKER_FAILED, NOT_READY (aborted) */
  readonly finished: Promise<unknown>;
}

/** Follows a partition from `from` to `high`, as long as `work` takes: no group, no more in memory than two reads of it. */
export async function withBoundedLog<T>(
  { config, topics, signal }: BoundedLogParts,
  { partition, from, high }: { readonly partition: Partition; readonly from: Offset; readonly high: number },
  work: (log: BoundedLog) => Promise<T>,
): Promise<T> {
  const { follower, codec, catalogues } = topics;
  const topic = config.kafka.topics.events;
  const maxRecords = recordsAtOnce(config, topics.partitions);
  let room: () => void = () => undefined;
  const records = new PartitionLog({ partition, from, capacity: 2 * maxRecords, lingerMs: 0, onRoom: () => room() });
  const close = (): void => {
    follower.unfollow(topic, partition);
    records.close();
    room();
  };
  signal.addEventListener("abort", close);
  follower.follow(topic, partition, from, {
    takesDamaged: true,
    take: async (messages, next) => {
      records.push(messages, next);
      if (records.full) await new Promise<void>((resolve) => (room = resolve));
    },
  });
  try {
    const finished = (high > from ? follower.reached(topic, partition, high, signal) : Promise.resolve()).finally(() => records.finish());
    finished.catch(() => undefined);
    return await work({ reader: new DecodableReader(records, codec, catalogues), maxRecords, finished });
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}
