import { setMaxListeners } from "node:events";
import { join } from "node:path";
import type { Config } from "../../../schemas/config.js";
import { KindredError } from "../../../schemas/errors.js";
import type { Offset, Partition } from "../../../schemas/ids.js";
import type { ItemInfo } from "../../../schemas/item.js";
import type { LogRecord } from "../../../schemas/log-record.js";
import type { SourceRecord } from "../../../schemas/ports/event-log.js";
import { decodeKafka } from "../../../streams/kafka/decode-kafka.js";
import { endsOf, type Watermarks } from "../../../streams/kafka/topics.js";
import { makeLogger } from "../logger.js";
import { withBoundedLog } from "./bounded-log.js";
import { KafkaTopics } from "./kafka-topics.js";

/** What reading a log gives, one after the other within a partition. */
export interface LogTaker {
  readonly take: (record: LogRecord) => void;
  /** A record that is none, and why. */
  readonly reject: (why: unknown) => void;
  /** @param share of the log that was read, 0 to 1 */
  readonly onProgress: (share: number) => void;
}

/**
 * The events topic once, from its begin to its end as of now: no group, nothing written to any topic, and no state. @returns the side
 * information that the items topic holds
 */
export async function readEventsTopic(config: Config, stop: AbortSignal, taker: LogTaker): Promise<AsyncIterable<ItemInfo>> {
  const failing = new AbortController();
  const signal = AbortSignal.any([stop, failing.signal]);
  // Every partition listens.
  setMaxListeners(0, signal);
  const directory = join(config.dataDir, "commands");
  const topics = await KafkaTopics.open({ config, log: makeLogger(config), directory, follows: "events" });
  try {
    await topics.start(signal);
    const marks = await endsOf(topics.kafka, config.kafka.topics.events);
    const total = [...marks.values()].reduce((sum, { low, high }) => sum + high - low, 0);
    let done = 0;
    const onRecords = (count: number): void => {
      done += count;
      taker.onProgress(total === 0 ? 1 : done / total);
    };
    const work = [...marks].map(([partition, ends]) =>
      readPartition({ config, topics, signal, taker, onRecords }, partition, ends).catch((error: unknown) => {
        // The others end too, before what they read is closed.
        failing.abort(error);
        throw error;
      }),
    );
    await Promise.allSettled(work);
    if (stop.aborted) throw new KindredError("NOT_READY", "stopped before the end; run it again");
    await Promise.all(work);
    await topics.items.caughtUp(signal);
    const infos: ItemInfo[] = [];
    for await (const info of topics.items.all()) infos.push(info);
    return (async function* () {
      yield* infos;
    })();
  } finally {
    await topics.close();
  }
}

interface Reading {
  readonly config: Config;
  readonly topics: KafkaTopics;
  readonly signal: AbortSignal;
  readonly taker: LogTaker;
  readonly onRecords: (count: number) => void;
}

async function readPartition(
  { config, topics, signal, taker, onRecords }: Reading,
  partition: Partition,
  { low, high }: Watermarks,
): Promise<void> {
  if (high <= low) return;
  const from = low as Offset;
  await withBoundedLog({ config, topics, signal }, { partition, from, high }, async ({ reader, maxRecords, finished }) => {
    const decode = decodeKafka(topics.codec, config.events.maxFutureMs);
    const one = ({ bytes, damage, ...rest }: SourceRecord): void => {
      if (damage !== undefined) taker.reject(damage);
      else if (bytes !== null) taker.take(decode({ ...rest, bytes }));
    };
    for (let after = from; ; ) {
      const batch = await reader.read(after, { maxRecords, signal });
      if (batch === null) break;
      for (const record of batch.records) {
        try {
          one(record);
        } catch (error) {
          taker.reject(error);
        }
      }
      onRecords(batch.endOffset - after);
      after = batch.endOffset;
    }
    await finished;
  });
}
