import type { Catalogue, GenerationRef, ItemVectors } from "../schemas/catalogue.js";
import type { CatalogueNumber } from "../schemas/ids.js";
import type { RowLayout } from "../schemas/row.js";
import { Decay } from "./decay.js";
import { EventWeights } from "./event-weight.js";
import type { ItemTable } from "./item-table.js";
import { KeywordModel } from "./keywords.js";
import { PooledSpace } from "./pooled-vector.js";

/** A catalogue made ready for folding: its tables and caches. One a partition and activation. */
export class FoldContext {
  readonly decay: Decay;
  readonly weights: EventWeights;
  readonly keywords: KeywordModel;
  readonly pools: readonly PooledSpace[];
  readonly layout: RowLayout;
  readonly profileItems: number;

  /** @param activation the partition's how-manieth activation this is, from 1: a catalogue may be activated again later */
  constructor(
    readonly catalogue: Catalogue,
    readonly activation: number,
    readonly items: ItemTable,
    itemVectors: (ref: GenerationRef) => ItemVectors,
  ) {
    const { settings, generations } = catalogue;
    this.decay = new Decay(settings.decay.gridMs, settings.decay.stepFactor);
    this.weights = new EventWeights(settings);
    this.keywords = new KeywordModel(catalogue, items);
    this.pools = generations.map((ref) => new PooledSpace(ref, itemVectors(ref), items));
    this.layout = {
      generations: generations.map(({ generation, dims }) => ({ generation, dims })),
      ringCapacity: settings.idempotencyRing,
    };
    this.profileItems = settings.profileItems;
  }
}

/** The context of a catalogue that is stored. @throws KindredError UNKNOWN_CATALOGUE */
export type MakeContext = (catalogue: CatalogueNumber, activation: number) => Promise<FoldContext>;
