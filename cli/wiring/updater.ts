import { rm } from "node:fs/promises";
import type { ItemVectorsOf } from "../../schemas/catalogue.js";
import { KindredError } from "../../schemas/errors.js";
import type { EpochMs, Offset } from "../../schemas/ids.js";
import type { DeadLetters, StateOwner, UpdaterMetrics } from "../../schemas/ports/admin.js";
import type { EventIntake } from "../../schemas/ports/event-log.js";
import type { FileIntake } from "../../schemas/ports/file-intake.js";
import type { Position } from "../../schemas/position.js";
import { beginWhereKept } from "../../streams/journal/begin-where-kept.js";
import { JournalDeadLetters } from "../../streams/journal/journal-dead-letters.js";
import { JournalFiles } from "../../streams/journal/journal-files.js";
import { JournalGenerations } from "../../streams/journal/journal-generations.js";
import { JournalIntake, journalPosition } from "../../streams/journal/journal-intake.js";
import type { NewDeadLetter } from "../../streams/new-dead-letter.js";
import type { AppliedBatch } from "../../streams/operators/batches.js";
import type { RowPublisher } from "../../streams/operators/publish-rows.js";
import { runPipeline } from "../../streams/pipeline.js";
import { CatalogueKeeper } from "./catalogue-keeper.js";
import { eventRulesOf, foldSettingsOf, untrainedGeneration } from "./fold-configuration.js";
import { historiesOf } from "./histories-of-partitions.js";
import { GenerationVectors, ownsModels } from "./item-vectors.js";
import { LiveGenerations } from "./live-generations.js";
import { Maintenance } from "./maintenance.js";
import { type LiveSpace, SearchIndex } from "./search-index.js";
import type { NodeOptions, ServingNode } from "./serving-node.js";
import { UpdaterCounters } from "./updater-counters.js";
import { closeStores, openStores, shadowDirectory, type UpdaterStores } from "./updater-stores.js";

export interface UpdaterOptions extends NodeOptions {
  /** Whether what recall reads is built too. Default true. */
  readonly index?: boolean;
  /** Whether this configuration takes effect: a command that only looks must not activate a catalogue. Default true. */
  readonly activate?: boolean;
}

const NOWHERE: RowPublisher = { publish: () => undefined };

/**
 * Everything that changes or owns the state, in one thread: the journal, the rows, the pipeline between them and what recall
 * reads. Opened in steps, so that whoever waits can be told: the stores (the directory is ours, or refused), then what the
 * log has ahead of the state, then the index, then live.
 */
export class Updater implements ServingNode {
  readonly intake: EventIntake;
  readonly owner: StateOwner;
  readonly deadLetters: DeadLetters;
  readonly files: FileIntake;
  readonly keeper: CatalogueKeeper;
  readonly generations: LiveGenerations;
  private readonly itemVectors: ItemVectorsOf;
  private readonly counters = new UpdaterCounters("journal");
  private readonly stop = new AbortController();
  private readonly watchers = new Set<() => void>();
  private searchIndex: SearchIndex | undefined;
  private maintenance: Maintenance | undefined;
  private running: Promise<void> = Promise.resolve();
  private live = false;
  private readonly failing = new AbortController();

  private constructor(
    private readonly options: UpdaterOptions,
    readonly stores: UpdaterStores,
    vectors: GenerationVectors,
  ) {
    const { config, log } = options;
    this.itemVectors = options.itemVectors ?? vectors.of;
    const { journal, catalogues, state } = stores;
    const journalIntake = new JournalIntake(journal);
    this.keeper = new CatalogueKeeper({
      catalogues,
      items: () => journal.items.all(),
      settings: foldSettingsOf(config),
      generations: () => this.generations.refs(),
      // A crash in between leaves one that nobody activated: `start` makes up for it.
      publish: async (next) => {
        await catalogues.put(next);
        await journal.activate(next.number);
      },
      minIntervalMs: config.catalogue.minIntervalMs,
      onError: (err) => log.error({ err }, "the next catalogue could not be made"),
      busy: () => this.generations.pooling,
    });
    this.generations = new LiveGenerations({
      store: new JournalGenerations(journal.store),
      models: vectors.models,
      itemVectors: this.itemVectors,
      untrained: untrainedGeneration(config),
      updateCatalogue: () => this.keeper.update(),
      index: () => (this.live ? this.searchIndex : undefined),
      users: () => state.summary().rows,
      log,
      onServing: (space) => options.onServing?.(space),
    });
    this.intake = {
      append: (events) => journalIntake.append(events),
      erase: async (user, at) => {
        const erased = await journalIntake.erase(user, at);
        await this.dropShadow();
        return erased;
      },
      putItems: async (items) => {
        await journalIntake.putItems(items);
        await this.searchIndex?.putItems(items);
        this.keeper.itemsChanged();
      },
    };
    this.owner = {
      profile: (user) => state.profile(user),
      summary: async () => state.summary(),
      verify: () => state.verify(),
      histories: (after, limit) => historiesOf([state], after, limit),
      itemInfos: (items) => journal.items.getMany(items),
    };
    this.deadLetters = new JournalDeadLetters(journal, eventRulesOf(config));
    this.files = new JournalFiles(journal);
    journal.failed.addEventListener("abort", () => this.fail(journal.failed.reason));
  }

  /** Takes the directory. @throws KindredError DIRECTORY_IN_USE, DIRECTORY_NEWER, JOURNAL_CORRUPT, STATE_CORRUPT, ... */
  static async open(options: UpdaterOptions): Promise<Updater> {
    const vectors = GenerationVectors.of(options.config);
    return new Updater(options, await openStores(options.config, options.itemVectors ?? vectors.of), vectors);
  }

  /** Folds what the log is ahead, builds what recall reads, and goes live. @throws what made it impossible; close it then */
  async start(): Promise<void> {
    const { journal, catalogues, state } = this.stores;
    const missing = await journal.resumeAfter(state.appliedOffset);
    if (missing > 0) this.options.log.error({ missing }, "the journal lost its newest records; the state has them already");
    if (await beginWhereKept(journal, catalogues, state))
      this.options.log.warn(
        { from: journal.firstOffset },
        "the state is new: rows know nothing of what retention has cut from the journal",
      );
    await this.generations.load();
    // A log without any record has no catalogue to fold with; every other one activates changes after what it holds.
    if (this.options.activate !== false) await this.keeper.update();
    await this.catchUp();
    if (this.options.activate !== false) {
      const newest = await catalogues.newest();
      if (newest !== 0 && newest > state.activeCatalogue) await journal.activate(newest);
      await this.catchUp();
    }
    const goingOn = AbortSignal.any([this.stop.signal, this.failed]);
    goingOn.throwIfAborted();
    if (this.options.index !== false) await this.openIndex();
    goingOn.throwIfAborted();
    journal.setApplied(state.appliedOffset);
    this.searchIndex?.start();
    if (this.options.activate !== false) {
      const { config, log } = this.options;
      const models = ownsModels(config) ? this.generations : undefined;
      this.maintenance = new Maintenance({ config, log, stores: this.stores, index: this.searchIndex, models });
      this.maintenance.start();
      if (this.searchIndex?.saveDue) this.maintenance.soon();
    }
    this.live = true;
    if (this.options.activate !== false) this.generations.start(await catalogues.newest());
    this.running = this.run(this.searchIndex ?? NOWHERE, this.stop.signal).catch((error: unknown) => this.fail(error));
  }

  get index(): SearchIndex | undefined {
    return this.searchIndex;
  }

  /** Aborts when folding or writing the log has failed, with the error as the reason. */
  get failed(): AbortSignal {
    return this.failing.signal;
  }

  applied(): { readonly position: Position; readonly eventTime: EpochMs } {
    const { state } = this.stores;
    return { position: journalPosition(state.appliedOffset), eventTime: state.eventTime };
  }

  /** Everything acknowledged by now is applied, and every row computed with the newest catalogue. */
  async drained(signal?: AbortSignal): Promise<void> {
    const { journal, state } = this.stores;
    const end = journal.endOffset;
    await this.until(() => state.appliedOffset >= end && !state.migrating, signal);
  }

  metrics(): UpdaterMetrics {
    const { journal, state } = this.stores;
    return this.counters.snapshot({
      sourceLagEvents: journal.lag,
      stateRows: state.summary().rows,
      index: this.searchIndex?.stats(),
      bands: this.searchIndex?.bands(),
    });
  }

  /** Makes `start` end soon; `close` is still to be called. */
  interrupt(): void {
    this.stop.abort(new KindredError("NOT_READY", "the updater is stopping"));
  }

  /** Ends after the batches under way; what is acknowledged and not folded yet is folded at the next start. */
  async close(): Promise<void> {
    this.interrupt();
    await this.generations.close();
    await this.keeper.close();
    await this.running;
    await this.maintenance?.stop();
    try {
      // A state that failed is left as it was committed.
      if (!this.failed.aborted) await this.maintenance?.run();
    } finally {
      try {
        await this.searchIndex?.close();
      } finally {
        await closeStores(this.stores);
      }
    }
  }

  /** A shadow is a copy with the erased user in it; it can be made again. @throws KindredError STORAGE_FAILED: to be erased again */
  private async dropShadow(): Promise<void> {
    const shadow = shadowDirectory(this.options.config);
    try {
      await rm(shadow, { recursive: true, force: true });
    } catch (cause) {
      throw new KindredError("STORAGE_FAILED", `the shadow state could not be deleted: ${(cause as Error).message}`, shadow, { cause });
    }
  }

  private async openIndex(): Promise<void> {
    const { config, log, onMoved } = this.options;
    const live: LiveSpace[] = [];
    for (const ref of this.generations.refs()) live.push({ ref, itemVectors: await this.itemVectors(ref) });
    this.searchIndex = await SearchIndex.open({
      config,
      live,
      serving: this.generations.serving,
      sources: [this.stores.state],
      log,
      onSwap: ({ seconds }) => this.counters.swapped(seconds),
      ...(onMoved && { onMoved }),
    });
    await this.searchIndex.putItems(this.stores.journal.items.all());
  }

  /** Folds up to the log's end as it is now, without publishing: the index is read from the rows afterwards. */
  private async catchUp(): Promise<void> {
    const { journal, state } = this.stores;
    const target: Offset = journal.endOffset;
    if (state.appliedOffset >= target) return;
    const there = AbortSignal.any([this.stop.signal, this.reached(target)]);
    await this.run(NOWHERE, there);
  }

  private reached(target: Offset): AbortSignal {
    const reached = new AbortController();
    void this.until(() => this.stores.state.appliedOffset >= target, this.stop.signal).then(
      () => reached.abort(),
      () => reached.abort(),
    );
    return reached.signal;
  }

  private run(publisher: RowPublisher, signal: AbortSignal): Promise<void> {
    const { journal, state } = this.stores;
    const { batchEvents, credits } = this.options.config.pipeline;
    const parts = {
      reader: journal.reader(),
      state,
      publisher,
      keepLetters: (letters: readonly NewDeadLetter[]) => this.keepLetters(letters),
      applied: (batch: AppliedBatch) => this.onApplied(batch),
    };
    return runPipeline(parts, { maxRecords: batchEvents, credits, signal });
  }

  /** A damaged block is a letter for whoever repairs it, and an error for whoever runs this. */
  private keepLetters(letters: readonly NewDeadLetter[]): Promise<void> {
    for (const { code, message, origin } of letters)
      this.options.log.error({ code, origin }, `not folded, kept as a dead letter: ${message}`);
    return this.stores.journal.keepLetters(letters);
  }

  private onApplied(batch: AppliedBatch): void {
    const { journal, state } = this.stores;
    this.counters.applied(batch, this.live);
    if (this.live) journal.setApplied(batch.endOffset);
    if (this.searchIndex?.saveDue) this.maintenance?.soon();
    this.options.onApplied?.(journalPosition(batch.endOffset), state.eventTime);
    this.generations.look();
    for (const watch of [...this.watchers]) watch();
  }

  private fail(error: unknown): void {
    if (this.failed.aborted) return;
    this.options.log.error({ err: error }, "the updater cannot go on");
    this.failing.abort(error);
    for (const watch of [...this.watchers]) watch();
    this.options.onFailed?.(error);
  }

  /** @throws what made folding fail, or the abort */
  private until(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (this.failed.aborted) done(() => reject(this.failed.reason));
        else if (signal?.aborted)
          done(() => reject(signal.reason instanceof Error ? signal.reason : new KindredError("NOT_READY", "stopped")));
        else if (condition()) done(resolve);
      };
      const done = (settle: () => void): void => {
        this.watchers.delete(check);
        signal?.removeEventListener("abort", check);
        settle();
      };
      this.watchers.add(check);
      signal?.addEventListener("abort", check);
      check();
    });
  }
}
