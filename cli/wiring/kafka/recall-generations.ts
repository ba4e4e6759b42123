import type { Catalogue, GenerationRef, ItemVectorsOf } from "../../../schemas/catalogue.js";
import { KindredError } from "../../../schemas/errors.js";
import type { CatalogueNumber, Generation } from "../../../schemas/ids.js";
import type { FoldedBatch } from "../../../schemas/ports/folded-batch.js";
import type { Generations, GenerationsRecord } from "../../../schemas/ports/generations.js";
import type { Log } from "../../../schemas/ports/log.js";
import { neverPublished, refsOf } from "../generations-record.js";
import { LOOK_EVERY_MS, ReadySpaces } from "../ready-spaces.js";
import type { LiveSpace, SearchIndex } from "../search-index.js";
import type { SearchSpace } from "../search-space.js";

export interface RecallGenerationsParts {
  readonly untrained: GenerationRef;
  readonly itemVectors: ItemVectorsOf;
  /** Which are to be live as of now. */
  readonly read: () => Promise<GenerationsRecord | undefined>;
  readonly catalogue: (number: CatalogueNumber) => Promise<Catalogue | undefined>;
  readonly index: () => SearchIndex | undefined;
  readonly users: () => number;
  readonly log: Log;
  readonly onServing: (space: SearchSpace) => void;
}

/**
 * The group's generations, as a recall node has them. Which are live and which is to answer is the group's; when it answers here is this
 * node's own: once the rows of every partition have it, and its shards are built and verified. Until then what answered before does.
 */
export class RecallGenerations {
  private record: GenerationsRecord;
  private readonly ready: ReadySpaces;
  /** Of catalogues that rows are of: which generations each has. */
  private readonly generationsOf = new Map<CatalogueNumber, ReadonlySet<Generation> | undefined>();
  private looking: NodeJS.Timeout | undefined;

  constructor(private readonly parts: RecallGenerationsParts) {
    this.record = neverPublished(parts.untrained);
    this.ready = new ReadySpaces({ ...parts, isPooled: (wanted, index) => this.isPooled(wanted, index) });
  }

  /** Reads which are live: before the index is made. */
  async load(): Promise<void> {
    this.told((await this.parts.read()) ?? this.record);
  }

  /** What an index is opened with. */
  async live(): Promise<LiveSpace[]> {
    const spaces: LiveSpace[] = [];
    for (const ref of refsOf(this.record)) spaces.push({ ref, itemVectors: await this.parts.itemVectors(ref) });
    return spaces;
  }

  /** What the group wants to answer. */
  get wanted(): Generation {
    return this.record.serving;
  }

  /** What an index begins with: the wanted one if every row has it by now, else what answered before it. @param rows which catalogues rows are of, by partition */
  async first(rows: readonly { readonly catalogue: CatalogueNumber | 0; readonly migrating: boolean }[]): Promise<Generation> {
    const { serving, previous, live } = this.record;
    const isThere = (generation: Generation | null): boolean => live.some((one) => one.generation === generation);
    for (const { catalogue, migrating } of rows) {
      const has = catalogue === 0 ? undefined : await this.parts.catalogue(catalogue);
      if ((migrating || !has?.generations.some(({ generation }) => generation === serving)) && previous !== null && isThere(previous))
        return previous;
    }
    return serving;
  }

  /** The index is there. */
  start(): void {
    const serving = this.parts.index()?.serving.generation;
    if (serving !== undefined) this.ready.add(serving);
    this.look();
    this.looking = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.looking);
  }

  /** The group's record changed. */
  told(record: GenerationsRecord): void {
    const { untrained } = this.parts;
    const live = record.live.map((one) => (one.generation === untrained.generation ? { ...one, ...untrained } : one));
    this.record = { ...record, live };
  }

  /** Spaces for what a batch has vectors of, before it is published. The record that has them was written before any row of theirs. */
  async prepare({ vectors }: Pick<FoldedBatch, "vectors">): Promise<void> {
    const index = this.parts.index();
    if (!index) return;
    for (const { generation } of vectors) {
      if (index.space(generation)) continue;
      let ref = refsOf(this.record).find((one) => one.generation === generation);
      if (!ref) {
        await this.load();
        ref = refsOf(this.record).find((one) => one.generation === generation);
      }
      // Retired meanwhile where the record has it no more.
      if (ref) await index.add({ ref, itemVectors: await this.parts.itemVectors(ref) });
    }
  }

  look(): void {
    const index = this.parts.index();
    if (!index) return;
    this.ready.look(this.record.live);
    const { wanted } = this;
    if (index.serving.generation !== wanted && this.ready.has(wanted)) {
      const previous = index.serving.generation;
      this.parts.onServing(index.serve(wanted));
      this.parts.log.info({ generation: wanted, previous }, "this generation answers now");
    }
    for (const generation of index.generations()) {
      if (generation === index.serving.generation || this.record.live.some((one) => one.generation === generation)) continue;
      this.ready.forget(generation);
      void index.drop(generation);
    }
  }

  /** As this node has them; changed by the updater that makes the catalogues. */
  readonly port: Generations = {
    list: async () => {
      const { previous, live } = this.record;
      const serving = this.parts.index()?.serving.generation ?? this.wanted;
      const next = serving === this.wanted ? null : this.wanted;
      return { serving, previous, next, generations: live.map((ref) => this.ready.statusOf(ref, serving)) };
    },
    publish: elsewhere,
    activate: elsewhere,
    retire: elsewhere,
  };

  private isPooled(generation: Generation, index: SearchIndex): boolean {
    return index.rowsAre().every(({ catalogue, migrating }) => !migrating && catalogue !== 0 && this.has(catalogue, generation));
  }

  /** False until it is known. */
  private has(catalogue: CatalogueNumber, generation: Generation): boolean {
    if (!this.generationsOf.has(catalogue)) {
      this.generationsOf.set(catalogue, undefined);
      this.parts.catalogue(catalogue).then(
        (found) => this.generationsOf.set(catalogue, new Set(found?.generations.map((one) => one.generation))),
        () => this.generationsOf.delete(catalogue),
      );
    }
    return this.generationsOf.get(catalogue)?.has(generation) === true;
  }
}

async function elsewhere(): Promise<never> {
  throw new KindredError("WRONG_ROLE", "generations are changed by the updater that has partition 0; ask that one");
}
