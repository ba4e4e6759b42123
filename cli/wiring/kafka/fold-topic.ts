import { join } from "node:path";
import type { GenerationRef, ItemVectors } from "../../../schemas/catalogue.js";
import type { Config } from "../../../schemas/config.js";
import { FIRST_CATALOGUE, type Offset, type Partition } from "../../../schemas/ids.js";
import { formatPosition } from "../../../schemas/position.js";
import { PartitionState } from "../../../state/partition-state.js";
import { openRocksStore } from "../../../state/rocks-store.js";
import { HashSum } from "../../../state/state-hash.js";
import { DecodableReader, decodeKafka } from "../../../streams/kafka/decode-kafka.js";
import { PartitionLog } from "../../../streams/kafka/partition-log.js";
import { endsOf, type Watermarks } from "../../../streams/kafka/topics.js";
import { runPipeline } from "../../../streams/pipeline.js";
import type { BackfillReport, OnProgress } from "../backfill.js";
import { sharedItemVectors } from "../fold-configuration.js";
import { makeLogger } from "../offline.js";
import { shadowDirectory } from "../updater-stores.js";
import { KafkaTopics } from "./kafka-topics.js";
import { ROCKS, STORED } from "./owned-partition.js";

/** What a fold of a whole topic came to. */
export interface FoldedTopic extends BackfillReport {
  readonly hash: string;
  readonly rows: number;
}

interface Tally {
  events: number;
  rejected: number;
  done: number;
}

/**
 * Folds the events topic anew, from its begin to its end as of now, into rows beside the live ones: no group, no changelog, nothing written to
 * any topic. The same records give the same rows, so that its hash is what the live rows' has to be. Goes on where it was stopped.
 */
export async function foldTopic(config: Config, signal: AbortSignal, onProgress: OnProgress): Promise<FoldedTopic> {
  const log = makeLogger(config);
  const directory = shadowDirectory(config);
  const itemVectors = sharedItemVectors();
  const topics = await KafkaTopics.open({ config, log, directory: directory, follows: "events" });
  try {
    await topics.start(signal);
    const marks = await endsOf(topics.kafka, config.kafka.topics.events);
    const total = [...marks.values()].reduce((sum, { low, high }) => sum + high - low, 0);
    const tally: Tally = { events: 0, rejected: 0, done: 0 };
    const tell = (): void => onProgress(tally.events, total === 0 ? 1 : Math.min(1, tally.done / total));
    const folded = await Promise.all(
      [...marks].map((mark) => foldPartition(config, topics, itemVectors, mark, directory, signal, tally, tell)),
    );
    return {
      events: tally.events,
      rejected: tally.rejected,
      appended: tally.events,
      position: formatPosition(new Map(folded.map(({ partition, offset }) => [partition, offset]))),
      known: false,
      done: !signal.aborted,
      hash: HashSum.total(folded.map(({ hash }) => hash)),
      rows: folded.reduce((sum, { rows }) => sum + rows, 0),
    };
  } finally {
    await topics.close();
  }
}

async function foldPartition(
  config: Config,
  { follower, catalogues, codec }: KafkaTopics,
  itemVectors: (ref: GenerationRef) => ItemVectors,
  [partition, { low, high }]: readonly [Partition, Watermarks],
  directory: string,
  signal: AbortSignal,
  tally: Tally,
  tell: () => void,
): Promise<{ partition: Partition; offset: Offset; hash: string; rows: number }> {
  const topic = config.kafka.topics.events;
  const { batchEvents, credits, cacheRows } = config.pipeline;
  const store = await openRocksStore(join(directory, "state", String(partition)), ROCKS);
  try {
    const state = await PartitionState.open({
      store,
      partition,
      catalogues,
      itemVectors,
      cacheRows,
      initialCatalogue: FIRST_CATALOGUE,
      publishes: false,
      ...STORED,
    });
    const from = Math.max(low, state.appliedOffset) as Offset;
    let room: (() => void) | undefined;
    const records = new PartitionLog({ partition, from, capacity: 2 * batchEvents, lingerMs: 0, onRoom: () => room?.() });
    follower.follow(topic, partition, from, {
      take: async (messages, next) => {
        records.push(messages, next);
        if (records.full) await new Promise<void>((resolve) => (room = resolve));
      },
    });
    const read = high > from ? follower.reached(topic, partition, high, signal) : Promise.resolve();
    const finished = read.finally(() => records.finish());
    finished.catch(() => undefined);
    await runPipeline(
      {
        reader: new DecodableReader(records, codec, catalogues),
        state,
        publisher: { publish: () => undefined },
        // They are where the live fold put them.
        keepLetters: async () => undefined,
        decode: decodeKafka(codec, config.events.maxFutureMs),
        source: topic,
        applied: ({ counts, letters, records: many }) => {
          tally.events += counts.folded;
          tally.rejected += letters.length;
          tally.done += many + letters.length;
          tell();
        },
      },
      { maxRecords: batchEvents, credits, signal },
    );
    follower.unfollow(topic, partition);
    room?.();
    if (!signal.aborted) await finished;
    await drained(state);
    await state.settled();
    const { hash, rows } = state.summary();
    return { partition, offset: state.appliedOffset, hash, rows };
  } finally {
    await store.close();
  }
}

/** Rows that wait for the newest catalogue follow it. */
async function drained(state: PartitionState): Promise<void> {
  while (state.migrating) await state.commit(await state.fold([], state.appliedOffset));
}
