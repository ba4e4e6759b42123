import type { GenerationRef } from "../catalogue.js";
import type { CatalogueNumber, EpochMs, Generation } from "../ids.js";

/** A live generation, and when its model was published; null: it needs none. */
export interface LiveGeneration extends GenerationRef {
  readonly publishedAt: EpochMs | null;
}

/** One that is live no more. Its model is kept as long as a stored catalogue may ask for it. */
export interface RetiredGeneration {
  readonly folder: string;
  /** The first catalogue without it; absent: it is still to be made. */
  readonly catalogue?: CatalogueNumber;
}

/** Which generations there are to be, and which answers. Catalogues follow it: writing it is what publishes. */
export interface GenerationsRecord {
  /** The highest number ever given: none is given twice. */
  readonly highest: Generation;
  /** At most three. */
  readonly live: readonly LiveGeneration[];
  /** Answers. */
  readonly serving: Generation;
  /** Answered before: where a roll-back goes. */
  readonly previous: Generation | null;
  /** Answers as soon as it can. */
  readonly next: Generation | null;
  readonly retired: readonly RetiredGeneration[];
}

export interface GenerationStore {
  read(): Promise<GenerationsRecord | undefined>;
  /** Durable when it resolves. @throws KindredError STORAGE_FAILED */
  write(record: GenerationsRecord): Promise<void>;
}

/**
 * `pooling`: every user is pooled anew from its items' vectors. `building`: shards are built and verified. `ready`: it may be activated.
 * `active`: it answers. New events are applied to all of them.
 */
export type GenerationState = "pooling" | "building" | "ready" | "active";

export interface GenerationStatus {
  readonly ref: LiveGeneration;
  readonly state: GenerationState;
  /** Share of the users that are pooled, 0..1. */
  readonly pooled: number;
  /** Users with a vector. */
  readonly rows: number;
  /** Items that can be found by vector. */
  readonly items: number;
}

export interface GenerationsStatus {
  readonly serving: Generation;
  readonly previous: Generation | null;
  readonly next: Generation | null;
  /** Ascending by number. */
  readonly generations: readonly GenerationStatus[];
}

/** What an operator does with generations. Each call after what was called before it. */
export interface Generations {
  list(): Promise<GenerationsStatus>;
  /**
   * Makes the model of a folder the next generation: it answers as soon as every user is pooled and its shards are built. One that is live
   * already is left as it is.
   * @throws KindredError MODEL_INVALID, TOO_MANY_GENERATIONS, STORAGE_FAILED; WRONG_ROLE (another node publishes)
   */
  publish(folder: string): Promise<Generation>;
  /** Answers with it from now on, in one step. The one that does already: what is being published will not follow by itself. @throws KindredError UNKNOWN_GENERATION, GENERATION_NOT_READY */
  activate(generation: Generation): Promise<GenerationsStatus>;
  /** Gives up one that does not answer. @throws KindredError UNKNOWN_GENERATION, GENERATION_IN_USE */
  retire(generation: Generation): Promise<GenerationsStatus>;
}
