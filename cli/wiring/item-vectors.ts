import { join } from "node:path";
import { ItemTables, type SharedTables } from "../../models/item-vectors/item-tables.js";
import { ModelStore } from "../../models/item-vectors/model-store.js";
import { RandomIndexing } from "../../models/item-vectors/random-indexing.js";
import { type GenerationRef, type ItemVectors, UNTRAINED_KIND } from "../../schemas/catalogue.js";
import type { Config } from "../../schemas/config.js";

/** Vectors that partitions share: an item that one has met the others meet too, and each vector is made of a hash. */
const SHARED_VECTORS = 65_536;

/** Whether the directory of models is this installation's alone, so that what nobody asks for any more may be deleted. */
export const ownsModels = ({ models }: Config): boolean => models.directory === "";

export const modelStoreOf = ({ models, dataDir }: Config): ModelStore =>
  new ModelStore(models.directory === "" ? join(dataDir, "models") : models.directory);

/** Where a process's item vectors come from: each generation's is made or read once, whoever asks for it. */
export class GenerationVectors {
  private readonly untrained = new Map<string, ItemVectors>();

  constructor(
    readonly models: ModelStore,
    private readonly cachedItems?: number,
  ) {}

  static of(config: Config, cachedItems = SHARED_VECTORS): GenerationVectors {
    return new GenerationVectors(modelStoreOf(config), cachedItems);
  }

  /** @throws KindredError MODEL_INVALID: a trained model that is not among the published ones, or is damaged */
  readonly of = (ref: GenerationRef): ItemVectors | Promise<ItemVectors> => {
    if (ref.kind !== UNTRAINED_KIND) return this.models.tables(ref);
    const name = JSON.stringify([ref.dims, ref.seed]);
    const known = this.untrained.get(name) ?? new RandomIndexing(ref.dims, ref.seed, this.cachedItems);
    this.untrained.set(name, known);
    return known;
  };
}

/** Item vectors as one thread hands them to another. */
export type ItemVectorsHandle =
  | { readonly kind: "tables"; readonly tables: SharedTables }
  | { readonly kind: "untrained"; readonly dims: number; readonly seed: number };

/** @returns undefined for vectors of another make, which stay in their thread */
export function handleOfItemVectors({ kind, dims, seed }: GenerationRef, vectors: ItemVectors): ItemVectorsHandle | undefined {
  if (vectors instanceof ItemTables) return { kind: "tables", tables: vectors.shared };
  return kind === UNTRAINED_KIND ? { kind: "untrained", dims, seed } : undefined;
}

export function attachItemVectors(handle: ItemVectorsHandle | undefined): ItemVectors | undefined {
  if (handle === undefined) return undefined;
  return handle.kind === "tables" ? new ItemTables(handle.tables) : new RandomIndexing(handle.dims, handle.seed);
}
