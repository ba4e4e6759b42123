import { setMaxListeners } from "node:events";
import type { ItemVectorsOf } from "../../../schemas/catalogue.js";
import type { Config } from "../../../schemas/config.js";
import { KindredError } from "../../../schemas/errors.js";
import { FIRST_CATALOGUE, type Offset, type Partition } from "../../../schemas/ids.js";
import { formatPosition } from "../../../schemas/position.js";
import { PartitionState } from "../../../state/partition-state.js";
import { HashSum } from "../../../state/state-hash.js";
import { decodeKafka } from "../../../streams/kafka/decode-kafka.js";
import { endsOf, type Watermarks } from "../../../streams/kafka/topics.js";
import { runPipeline } from "../../../streams/pipeline.js";
import type { BackfillReport, OnProgress } from "../backfill.js";
import { GenerationVectors } from "../item-vectors.js";
import { makeLogger } from "../logger.js";
import { shadowDirectory } from "../updater-stores.js";
import { withBoundedLog } from "./bounded-log.js";
import { KafkaTopics } from "./kafka-topics.js";
import { cacheRowsOf } from "./memory-shares.js";
import { openPartitionStore, STORED } from "./partition-stores.js";

/** What a fold of a whole topic came to. */
export interface FoldedTopic extends BackfillReport {
  readonly hash: string;
  readonly rows: number;
}

interface FoldedPartition {
  readonly partition: Partition;
  readonly offset: Offset;
  readonly hash: string;
  readonly rows: number;
}

interface Tally {
  events: number;
  rejected: number;
  done: number;
}

interface Fold {
  readonly config: Config;
  readonly topics: KafkaTopics;
  readonly directory: string;
  readonly itemVectors: ItemVectorsOf;
  readonly signal: AbortSignal;
  readonly tally: Tally;
  readonly tell: () => void;
}

/**
 * Folds the events topic anew, from its begin to its end as of now, into rows beside the live ones: no group, no changelog, nothing written to
 * any topic. The same records give the same rows, so that its hash is what the live rows' has to be. Goes on where it was stopped.
 */
export async function foldTopic(config: Config, stop: AbortSignal, onProgress: OnProgress): Promise<FoldedTopic> {
  const log = makeLogger(config);
  const directory = shadowDirectory(config);
  const failing = new AbortController();
  const signal = AbortSignal.any([stop, failing.signal]);
  // Every partition listens.
  setMaxListeners(0, signal);
  const topics = await KafkaTopics.open({ config, log, directory, follows: "events" });
  try {
    await topics.start(signal);
    const marks = await endsOf(topics.kafka, config.kafka.topics.events);
    const total = [...marks.values()].reduce((sum, { low, high }) => sum + high - low, 0);
    const tally: Tally = { events: 0, rejected: 0, done: 0 };
    const tell = (): void => onProgress(tally.events, total === 0 ? 1 : Math.min(1, tally.done / total));
    const fold: Fold = { config, topics, directory, itemVectors: GenerationVectors.of(config).of, signal, tally, tell };
    const work = [...marks].map(([partition, ends]) =>
      foldPartition(fold, partition, ends).catch((error: unknown) => {
        // The others end too, before what they read is closed.
        failing.abort(error);
        throw error;
      }),
    );
    await Promise.allSettled(work);
    if (stop.aborted) throw new KindredError("NOT_READY", "stopped before the end; the same command goes on from here");
    const folded = await Promise.all(work);
    return {
      events: tally.events,
      rejected: tally.rejected,
      appended: tally.events,
      position: formatPosition(new Map(folded.map(({ partition, offset }) => [partition, offset]))),
      known: false,
      done: true,
      hash: HashSum.total(folded.map(({ hash }) => hash)),
      rows: folded.reduce((sum, { rows }) => sum + rows, 0),
    };
  } finally {
    await topics.close();
  }
}

async function foldPartition(fold: Fold, partition: Partition, { low, high }: Watermarks): Promise<FoldedPartition> {
  const { config, topics, itemVectors, signal } = fold;
  const cacheRows = cacheRowsOf(config, topics.partitions);
  const { catalogues } = topics;
  const store = await openPartitionStore({ dataDir: fold.directory }, "state", partition);
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
    await foldUpTo(fold, state, Math.max(low, state.appliedOffset) as Offset, high);
    signal.throwIfAborted();
    // Rows that wait for the newest catalogue follow it.
    while (state.migrating) await state.commit(await state.fold([], state.appliedOffset));
    await state.settled();
    const { hash, rows } = state.summary();
    return { partition, offset: state.appliedOffset, hash, rows };
  } finally {
    await store.close();
  }
}

async function foldUpTo({ config, topics, signal, tally, tell }: Fold, state: PartitionState, from: Offset, high: number): Promise<void> {
  const { partition } = state;
  const { credits } = config.pipeline;
  await withBoundedLog({ config, topics, signal }, { partition, from, high }, async ({ reader, maxRecords, finished }) => {
    await runPipeline(
      {
        reader,
        state,
        publisher: { publish: () => undefined },
        // They are where the live fold put them.
        keepLetters: async () => undefined,
        decode: decodeKafka(topics.codec, config.events.maxFutureMs),
        source: config.kafka.topics.events,
        applied: ({ counts, letters, records: many }) => {
          tally.events += counts.folded;
          tally.rejected += letters.length;
          tally.done += many + letters.length;
          tell();
        },
      },
      { maxRecords, credits, signal },
    );
    if (!signal.aborted) await finished;
  });
}
