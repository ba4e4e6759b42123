import type { ModelStore } from "../../models/item-vectors/model-store.js";
import type { GenerationRef, ItemVectorsOf } from "../../schemas/catalogue.js";
import { KindredError } from "../../schemas/errors.js";
import type { CatalogueNumber, EpochMs, Generation } from "../../schemas/ids.js";
import type {
  GenerationStore,
  Generations,
  GenerationsRecord,
  GenerationsStatus,
  LiveGeneration,
} from "../../schemas/ports/generations.js";
import type { Log } from "../../schemas/ports/log.js";
import { MAX_GENERATIONS } from "../../schemas/row.js";
import { neverPublished, refsOf } from "./generations-record.js";
import { LOOK_EVERY_MS, ReadySpaces } from "./ready-spaces.js";
import type { SearchIndex } from "./search-index.js";
import type { SearchSpace } from "./search-space.js";

export interface LiveGenerationsParts {
  readonly store: GenerationStore;
  readonly models: ModelStore;
  readonly itemVectors: ItemVectorsOf;
  /** The generation that needs no model, as the configuration has it. */
  readonly untrained: GenerationRef;
  /** Makes the catalogue follow `refs` and activates it in the log; resolves its number. */
  readonly updateCatalogue: () => Promise<CatalogueNumber>;
  readonly index: () => SearchIndex | undefined;
  readonly users: () => number;
  readonly log: Log;
  /** Told what answers from now on. */
  readonly onServing: (space: SearchSpace) => void;
  /** Whether it is others who answer: they are told what is to answer, and follow as soon as each can. */
  readonly elsewhere?: boolean;
  readonly now?: () => EpochMs;
}

/** How soon a catalogue that could not be made is tried again. */
const AGAIN_MS = 1_000;
const NOT_MADE_YET = Number.POSITIVE_INFINITY as CatalogueNumber;

/**
 * The generations that are live, from publishing to retiring. A small record says which there are to be: writing it is the moment from
 * which a publishing is gone on with after any crash. The catalogue follows the record, rows follow the catalogue, and what answers
 * follows when all rows have the new generation and its shards are verified. Which one answers is durable before it does.
 */
export class LiveGenerations implements Generations {
  private record: GenerationsRecord;
  private turns: Promise<unknown> = Promise.resolve();
  /** Rows that are of this catalogue have every live generation. */
  private neededCatalogue: CatalogueNumber | 0 = 0;
  /** When the catalogue is to be tried again that could not be made to follow the record; undefined: it follows. */
  private againAt: number | undefined;
  private readonly ready: ReadySpaces;
  private closed = false;
  private looking: NodeJS.Timeout | undefined;
  private switching = false;
  private waiting: (() => void)[] = [];

  constructor(private readonly parts: LiveGenerationsParts) {
    this.ready = new ReadySpaces({ ...parts, isPooled: (_, index) => index.hasAllOf(this.neededCatalogue) });
    this.record = neverPublished(parts.untrained);
  }

  /** What was left by an earlier run. Before the first catalogue is made. @throws KindredError JOURNAL_CORRUPT */
  async load(): Promise<void> {
    const stored = await this.parts.store.read();
    const { untrained } = this.parts;
    this.record = neverPublished(untrained);
    if (!stored) return;
    // The configuration has the word on the generation that needs no model, as long as it is live.
    const live = stored.live.map((one) => (one.generation === untrained.generation ? { ...untrained, publishedAt: null } : one));
    this.record = { ...stored, live };
  }

  /** What catalogues are made with. */
  refs(): GenerationRef[] {
    return refsOf(this.record);
  }

  get serving(): Generation {
    return this.record.serving;
  }

  /** Rows and index are there, with all that is live; what an earlier run began goes on. @param catalogue the newest one, which is activated */
  start(catalogue: CatalogueNumber | 0): void {
    this.neededCatalogue = catalogue;
    this.ready.add(this.serving);
    this.look();
    this.looking = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  list(): Promise<GenerationsStatus> {
    return Promise.resolve(this.status());
  }

  publish(folder: string): Promise<Generation> {
    return this.inTurn(async () => {
      const { models, log, itemVectors, now = Date.now } = this.parts;
      const offered = await models.examine(folder);
      const known = this.record.live.find((one) => one.folder?.split("-")[1] === offered.hash);
      if (known) {
        if (this.againAt !== undefined) await this.follow();
        return known.generation;
      }
      const { live, highest } = this.record;
      if (live.length >= MAX_GENERATIONS)
        throw new KindredError(
          "TOO_MANY_GENERATIONS",
          `generations ${live.map(({ generation }) => generation).join(", ")} are live; at most ${MAX_GENERATIONS} may be`,
        );
      const generation = (highest + 1) as Generation;
      const ref = await models.take(offered, generation);
      const before = this.neededCatalogue;
      try {
        // Before any row has vectors of it.
        await this.parts.index()?.add({ ref, itemVectors: await itemVectors(ref) });
        // No row has it before the catalogue that is made below.
        this.neededCatalogue = NOT_MADE_YET;
        const published = { ...this.record, highest: generation, live: [...live, { ...ref, publishedAt: now() }] };
        await this.write(this.parts.elsewhere ? answering(published, generation) : { ...published, next: generation });
      } catch (error) {
        this.neededCatalogue = before;
        await this.parts.index()?.drop(generation);
        // The copy goes with the next clean-up: whether the record was written is not sure where writing it failed.
        if (ref.folder !== undefined) models.forget(ref.folder);
        throw error;
      }
      await this.follow();
      log.info({ ...ref, items: offered.manifest.items }, "a generation is published: users are pooled anew");
      return generation;
    });
  }

  activate(generation: Generation): Promise<GenerationsStatus> {
    return this.inTurn(async () => {
      this.require(generation);
      if (generation === this.serving) {
        if (this.record.next !== null) await this.write({ ...this.record, next: null });
      } else if (this.parts.elsewhere || this.ready.has(generation)) await this.serve(generation);
      else throw new KindredError("GENERATION_NOT_READY", `generation ${generation} is not ready yet`, undefined, { retryAfterSeconds: 1 });
      return this.status();
    });
  }

  retire(generation: Generation): Promise<GenerationsStatus> {
    return this.inTurn(async () => {
      const { folder } = this.require(generation);
      if (generation === this.serving) throw new KindredError("GENERATION_IN_USE", `generation ${generation} is active`);
      const { live, next, previous, retired } = this.record;
      const other = (one: Generation | null): Generation | null => (one === generation ? null : one);
      await this.write({
        ...this.record,
        live: live.filter((one) => one.generation !== generation),
        next: other(next),
        previous: other(previous),
        retired: folder === undefined ? retired : [...retired, { folder }],
      });
      try {
        await this.follow();
      } finally {
        // The record has it no more, whenever the catalogue follows.
        this.ready.forget(generation);
        await this.parts.index()?.drop(generation);
        if (folder !== undefined) this.parts.models.forget(folder);
      }
      this.parts.log.info({ generation }, "a generation is retired");
      return this.status();
    });
  }

  /** Deletes the copies of models that nothing can ask for any more. @param oldest the first catalogue that is stored */
  cleanUp(oldest: CatalogueNumber | 0): Promise<void> {
    return this.inTurn(async () => {
      await this.numberRetired(this.neededCatalogue);
      const retired = this.record.retired.filter(({ catalogue }) => catalogue === undefined || catalogue > oldest);
      const kept = [...this.record.live.map(({ folder = "" }) => folder), ...retired.map(({ folder }) => folder)];
      await this.parts.models.keepOnly(new Set(kept));
      if (retired.length < this.record.retired.length) await this.write({ ...this.record, retired });
    });
  }

  /** Resolves when what was published answers, or is not to any more. */
  async settled(signal?: AbortSignal): Promise<void> {
    while (this.record.next !== null && signal?.aborted !== true) {
      const look = new Promise<void>((resolve) => this.waiting.push(resolve));
      await look;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.looking);
    await this.turns;
  }

  /** Whether rows are being pooled for a generation that is to answer: a catalogue that need not be made now would have it begin anew. */
  get pooling(): boolean {
    return this.record.next !== null && !this.ready.isPooled(this.record.next);
  }

  /** Goes on with what was published; cheap, and done after each batch. */
  look(): void {
    if (this.againAt !== undefined && performance.now() >= this.againAt && !this.closed) void this.followAgain();
    this.ready.look(this.record.live);
    const { next } = this.record;
    if (next !== null && this.ready.has(next) && !this.switching) void this.switchTo(next);
    for (const done of this.waiting.splice(0)) done();
  }

  /** Makes the catalogue follow the record. Where that fails it is tried again: the record is what was promised. */
  private async follow(): Promise<void> {
    // The number of the one before would be taken for the first without what is retired.
    this.neededCatalogue = NOT_MADE_YET;
    // Not while this is under way.
    this.againAt = Number.POSITIVE_INFINITY;
    try {
      this.neededCatalogue = await this.parts.updateCatalogue();
      await this.numberRetired(this.neededCatalogue);
      this.againAt = undefined;
    } catch (error) {
      this.againAt = performance.now() + AGAIN_MS;
      throw error;
    }
  }

  private async followAgain(): Promise<void> {
    this.againAt = Number.POSITIVE_INFINITY;
    try {
      await this.inTurn(() => this.follow());
    } catch (err) {
      this.parts.log.error({ err }, "the catalogue does not follow what was published or retired; it is tried again");
    }
  }

  private async switchTo(next: Generation): Promise<void> {
    this.switching = true;
    try {
      await this.inTurn(async () => {
        if (this.record.next === next) await this.serve(next);
      });
    } catch (err) {
      this.parts.log.error({ err, generation: next }, "a generation that is ready could not be made the active one; it is tried again");
    } finally {
      this.switching = false;
    }
  }

  private async serve(generation: Generation): Promise<void> {
    const { index, log, onServing } = this.parts;
    const previous = this.serving;
    await this.write(answering(this.record, generation));
    const space = index()?.serve(generation);
    if (space) onServing(space);
    log.info({ generation, previous }, "this generation answers now");
    for (const done of this.waiting.splice(0)) done();
  }

  private require(generation: Generation): LiveGeneration {
    const found = this.record.live.find((one) => one.generation === generation);
    if (!found) throw new KindredError("UNKNOWN_GENERATION", `no live generation has the number ${generation}`);
    return found;
  }

  private status(): GenerationsStatus {
    const { serving, previous, next, live } = this.record;
    return { serving, previous, next, generations: live.map((ref) => this.ready.statusOf(ref, serving)) };
  }

  private async numberRetired(catalogue: CatalogueNumber | 0): Promise<void> {
    const { retired } = this.record;
    if (catalogue === 0 || catalogue === NOT_MADE_YET || retired.every((one) => one.catalogue !== undefined)) return;
    await this.write({ ...this.record, retired: retired.map((one) => ({ catalogue, ...one })) });
  }

  private async write(record: GenerationsRecord): Promise<void> {
    await this.parts.store.write(record);
    this.record = record;
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turns.then(work);
    this.turns = done.catch(() => undefined);
    return done;
  }
}

const answering = (record: GenerationsRecord, serving: Generation): GenerationsRecord => ({
  ...record,
  serving,
  previous: record.serving,
  next: null,
});
