import { setTimeout as sleep } from "node:timers/promises";
import { KindredError } from "../../../schemas/errors.js";
import { FIRST_CATALOGUE, type Offset, type Partition } from "../../../schemas/ids.js";
import type { KeyValueStore } from "../../../schemas/ports/key-value-store.js";
import { PartitionState } from "../../../state/partition-state.js";
import type { KafkaClient } from "../../../streams/kafka/client.js";
import { DecodableReader, decodeKafka } from "../../../streams/kafka/decode-kafka.js";
import type { KafkaCatalogues } from "../../../streams/kafka/kafka-catalogues.js";
import { KafkaChangelog } from "../../../streams/kafka/kafka-changelog.js";
import type { PartitionSource } from "../../../streams/kafka/partition-source.js";
import { endsBefore } from "../../../streams/kafka/topics.js";
import type { NewDeadLetter } from "../../../streams/new-dead-letter.js";
import type { AppliedBatch } from "../../../streams/operators/batches.js";
import type { RowPublisher } from "../../../streams/operators/publish-rows.js";
import { runPipeline } from "../../../streams/pipeline.js";
import type { EventCodec } from "../../../streams/registry/event-codec.js";
import { cacheRowsOf, MOST_OPEN_ROWS, recordsAtOnce } from "./memory-shares.js";
import { endReplica, openReplica, type ReplicaParts } from "./open-replica.js";
import { openPartitionStore, STORED } from "./partition-stores.js";

export interface OwnedPartitionParts extends ReplicaParts {
  readonly kafka: KafkaClient;
  readonly source: PartitionSource;
  readonly catalogues: KafkaCatalogues;
  readonly codec: EventCodec;
  readonly keepLetters: (letters: readonly NewDeadLetter[]) => Promise<void>;
  readonly onApplied: (batch: AppliedBatch) => void;
  /** Told when the partition cannot be folded at all. */
  readonly onFailed: (error: unknown) => void;
}

/** Whoever wants a row reads it from the changelog. */
const NOWHERE: RowPublisher = { publish: () => undefined };
const BACKOFF_MS = { first: 200, most: 5_000 };
/** What went well for so long is not what failed again and again. */
const LONG_MS = 60_000;
const CATALOGUE_POLL_MS = 250;
/** What a broker, or another owner, may mend: everything else ends the process. */
const PASSING = new Set(["BROKER_FAILED", "OWNERSHIP_LOST", "REGISTRY_FAILED"]);

/**
 * One partition, from when the group gave it to this process until it takes it away. The order of things, and the crash that each
 * survives, is in docs/KAFKA.md.
 */
export class OwnedPartition {
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;
  private writer: KafkaChangelog | undefined;
  private open: PartitionState | undefined;

  constructor(
    private readonly parts: OwnedPartitionParts,
    readonly partition: Partition,
  ) {
    this.running = this.run();
  }

  /** While its rows are open and folded into. */
  get state(): PartitionState | undefined {
    return this.open;
  }

  /** The group has given it to another process: nothing is written any more, what is under way is dropped. */
  async revoke(): Promise<void> {
    this.writer?.revoke();
    await this.stop();
  }

  /** Ends after the batches under way. */
  async stop(): Promise<void> {
    this.stopping.abort(new KindredError("NOT_READY", "the partition is given back"));
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    const { log, onFailed, source } = this.parts;
    let wait: number = BACKOFF_MS.first;
    while (!signal.aborted) {
      const startedAt = performance.now();
      try {
        await this.once(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof KindredError && PASSING.has(error.code))) return onFailed(error);
        log.warn({ err: error, partition: this.partition }, "the partition is opened again");
        wait = performance.now() - startedAt > LONG_MS ? BACKOFF_MS.first : Math.min(2 * wait, BACKOFF_MS.most);
        await sleep(wait, undefined, { signal }).catch(() => undefined);
        // Fenced by a new owner, or by a coordinator that lost patience: only the group knows, and only once it is asked again.
        if (error.code === "OWNERSHIP_LOST") await source.confirmed(signal).catch(() => undefined);
      }
    }
  }

  private async once(signal: AbortSignal): Promise<void> {
    const { kafka, config, log } = this.parts;
    const startedAt = performance.now();
    this.writer = await KafkaChangelog.open(kafka, config.kafka, this.partition);
    try {
      await this.withStore(async (store) => {
        const restored = await this.restore(store, signal);
        await this.firstCatalogue(signal);
        const state = await this.openState(store);
        try {
          const seconds = (performance.now() - startedAt) / 1000;
          log.info({ partition: this.partition, position: state.appliedOffset, restored, seconds }, "a partition is ours");
          this.open = state;
          await this.fold(state, signal);
        } finally {
          this.open = undefined;
          await state.settled().catch(() => undefined);
        }
      });
    } finally {
      await this.writer.close();
    }
  }

  private async withStore(work: (store: KeyValueStore) => Promise<void>): Promise<void> {
    const store = await openPartitionStore(this.parts.config, "state", this.partition);
    try {
      await work(store);
    } finally {
      await store.close();
    }
  }

  /** What the changelog has and the store has not. After the writer was opened nobody else adds to it. @returns how many records were read */
  private async restore(store: KeyValueStore, signal: AbortSignal): Promise<number> {
    const opened = await openReplica(this.parts, store, this.partition);
    try {
      await opened.reader.readToEnd(signal);
    } finally {
      // Also where the partition is taken away meanwhile.
      await endReplica(opened);
    }
    return opened.reader.records;
  }

  /** Nothing is folded without one, and the group's leader is making it. */
  private async firstCatalogue(signal: AbortSignal): Promise<void> {
    while (!(await this.parts.catalogues.has(FIRST_CATALOGUE, signal))) await sleep(CATALOGUE_POLL_MS, undefined, { signal });
  }

  private async openState(store: KeyValueStore): Promise<PartitionState> {
    const { config, catalogues, itemVectors } = this.parts;
    return PartitionState.open({
      store,
      partition: this.partition,
      catalogues,
      itemVectors,
      cacheRows: cacheRowsOf(config, this.parts.partitions),
      initialCatalogue: FIRST_CATALOGUE,
      publishes: false,
      open: { records: config.kafka.batchEvents, rows: MOST_OPEN_ROWS },
      ...STORED,
      ...(this.writer && { changelog: this.writer }),
    });
  }

  private async fold(state: PartitionState, signal: AbortSignal): Promise<void> {
    const { config, source, codec, catalogues, keepLetters, onApplied } = this.parts;
    const from = await this.begin(state);
    try {
      await runPipeline(
        {
          reader: new DecodableReader(source.open(this.partition, from), codec, catalogues),
          state,
          publisher: NOWHERE,
          keepLetters,
          applied: (batch) => {
            source.applied(this.partition, batch.endOffset);
            onApplied(batch);
          },
          decode: decodeKafka(codec, config.events.maxFutureMs),
          source: config.kafka.topics.events,
        },
        { maxRecords: recordsAtOnce(config, this.parts.partitions), credits: config.pipeline.credits, signal },
      );
    } finally {
      source.close(this.partition);
    }
  }

  /** Where reading begins. @throws KindredError TOPIC_MISMATCH (the topic ends before the state does) */
  private async begin(state: PartitionState): Promise<Offset> {
    const { source, log, config } = this.parts;
    const marks = (await source.watermarks()).get(this.partition);
    const { appliedOffset } = state;
    const where = `partition ${this.partition}`;
    const topic = config.kafka.topics.events;
    if (!marks) throw new KindredError("TOPIC_MISMATCH", `${topic} has no such partition`, where);
    if (marks.high < appliedOffset) throw endsBefore(topic, this.partition, marks.high, appliedOffset);
    if (marks.low <= appliedOffset) return appliedOffset;
    log.error(
      { partition: this.partition, from: appliedOffset, to: marks.low },
      "the topic's retention has cut events before they were folded",
    );
    return marks.low as Offset;
  }
}
