import type { Catalogue, GenerationRef, ItemVectors } from "../../schemas/catalogue.js";
import type { BehaviourEvent, EventRules } from "../../schemas/event.js";
import type { CatalogueNumber, Partition, UserId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { ChangelogWriter } from "../../schemas/ports/changelog.js";
import type { PayloadCipher } from "../../schemas/ports/event-log.js";
import type { FoldedBatch } from "../../schemas/ports/folded-batch.js";
import type { KeyValueStore } from "../../schemas/ports/key-value-store.js";
import type { PublishedRow } from "../../schemas/ports/read-model.js";
import type { Position } from "../../schemas/position.js";
import { buildCatalogue, generationZero } from "../../state/catalogue-builder.js";
import { foldSettings } from "../../state/fold-settings.js";
import { PartitionState } from "../../state/partition-state.js";
import { beginWhereKept } from "../../streams/journal/begin-where-kept.js";
import { Journal } from "../../streams/journal/journal.js";
import { JournalCatalogues } from "../../streams/journal/journal-catalogues.js";
import { JournalDeadLetters } from "../../streams/journal/journal-dead-letters.js";
import { JournalIntake } from "../../streams/journal/journal-intake.js";
import type { JournalOptions } from "../../streams/journal/journal-options.js";
import type { AppliedBatch } from "../../streams/operators/batches.js";
import type { RowPublisher } from "../../streams/operators/publish-rows.js";
import { type PipelineOptions, runPipeline } from "../../streams/pipeline.js";
import { MemoryStore } from "./memory-store.js";

export interface DriverOptions {
  readonly cipher: PayloadCipher;
  /** Item vectors of a live generation. */
  readonly itemVectors: (ref: GenerationRef) => ItemVectors;
  /** Stored and activated when the journal has none yet. Default: default settings, no side information, generation 0 with 32 dimensions. */
  readonly catalogue?: Catalogue;
  /** Told of every committed batch, after the driver's own `rows` and `batches`. */
  readonly publisher?: RowPublisher;
  /** Default: memory. Given stores are used again after `crash`. */
  readonly stores?: { readonly journal: KeyValueStore; readonly state: KeyValueStore };
  readonly journal?: JournalOptions;
  readonly pipeline?: Omit<PipelineOptions, "signal">;
  /** Rows that one fold migrates after an activation. */
  readonly migrateRows?: number;
  readonly cacheRows?: number;
  /** Where commits go before the state's store has them. */
  readonly changelog?: ChangelogWriter;
}

/**
 * The whole pipeline in one process, without a server and without a disk: journal, decode, fold, checkpoint, publish. Events go
 * in by `send`; once `drain` resolves, `rows` holds what readers would see.
 */
export class PipelineDriver {
  /** The newest published row of each user. */
  readonly rows = new Map<UserId, PublishedRow>();
  readonly batches: AppliedBatch[] = [];
  journal!: Journal;
  state!: PartitionState;
  intake!: JournalIntake;
  deadLetters!: JournalDeadLetters;
  catalogues!: JournalCatalogues;
  readonly #options: DriverOptions;
  readonly #stores: { readonly journal: KeyValueStore; readonly state: KeyValueStore };
  #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #failure: unknown;
  #wake: () => void = () => {};

  private constructor(options: DriverOptions) {
    this.#options = options;
    this.#stores = options.stores ?? { journal: new MemoryStore(), state: new MemoryStore() };
  }

  static async open(options: DriverOptions): Promise<PipelineDriver> {
    const driver = new PipelineDriver(options);
    await driver.#start();
    return driver;
  }

  async send(...events: readonly BehaviourEvent[]): Promise<Position> {
    return this.intake.append(events);
  }

  /** Stores a catalogue with this side information and activates it; rows follow in the background. */
  async activate(catalogue: Catalogue): Promise<void> {
    await this.catalogues.put(catalogue);
    await this.journal.activate(catalogue.number);
  }

  /** The next catalogue: default settings unless given, with the side information. */
  async activateItems(items: readonly ItemInfo[]): Promise<void> {
    const number = ((await this.catalogues.newest()) + 1) as CatalogueNumber;
    await this.activate(
      buildCatalogue(number, { settings: this.#catalogue().settings, items, generations: this.#catalogue().generations }),
    );
  }

  /** Resolves when everything acknowledged is published and every row is of the active catalogue. @throws what ended the pipeline */
  async drain(): Promise<void> {
    while (this.#failure === undefined && (this.state.appliedOffset < this.journal.endOffset || this.state.migrating))
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Stops after the batch under way. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  /** Drops everything in memory and opens the stores again, as after the end of the process. What readers saw is dropped too. */
  async restart(): Promise<void> {
    await this.stop();
    this.#failure = undefined;
    this.rows.clear();
    this.batches.length = 0;
    await this.#start();
  }

  async close(): Promise<void> {
    await this.stop();
    await this.journal.close();
    await this.#stores.state.close();
  }

  async #start(): Promise<void> {
    const { cipher, itemVectors, migrateRows, cacheRows, changelog } = this.#options;
    this.journal = await Journal.open(this.#stores.journal, cipher, this.#options.journal);
    this.catalogues = new JournalCatalogues(this.#stores.journal);
    this.intake = new JournalIntake(this.journal);
    this.deadLetters = new JournalDeadLetters(this.journal, () => this.rules());
    if ((await this.catalogues.newest()) === 0) await this.activate(this.#catalogue());
    this.state = await PartitionState.open({
      store: this.#stores.state,
      partition: 0 as Partition,
      catalogues: this.catalogues,
      itemVectors,
      ...(migrateRows !== undefined && { migrateRows }),
      ...(cacheRows !== undefined && { cacheRows }),
      ...(changelog !== undefined && { changelog }),
    });
    await this.journal.resumeAfter(this.state.appliedOffset);
    await beginWhereKept(this.journal, this.catalogues, this.state);
    this.journal.setApplied(this.state.appliedOffset);
    this.#abort = new AbortController();
    this.#running = this.#run(this.#abort.signal);
  }

  /** What events are accepted against: the actions of the first catalogue, any time. */
  rules(): EventRules {
    return { actions: new Set(Object.keys(this.#catalogue().settings.actions)), latestTs: 8_640_000_000_000 };
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      await runPipeline(
        {
          reader: this.journal.reader(),
          state: this.state,
          publisher: { publish: (folded) => this.#publish(folded) },
          keepLetters: (letters) => this.journal.keepLetters(letters),
          applied: (batch) => {
            this.batches.push(batch);
            this.journal.setApplied(batch.endOffset);
            this.#wake();
          },
        },
        { ...this.#options.pipeline, signal },
      );
    } catch (error) {
      this.#failure = error;
    }
    this.#wake();
  }

  #publish(folded: FoldedBatch): void {
    for (const user of folded.erased) this.rows.delete(user);
    for (const row of folded.rows) this.rows.set(row.user, row);
    this.#options.publisher?.publish(folded);
  }

  #catalogue(): Catalogue {
    return (
      this.#options.catalogue ??
      buildCatalogue(1 as CatalogueNumber, { settings: foldSettings(), items: [], generations: [generationZero(32)] })
    );
  }
}
