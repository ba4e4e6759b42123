import type { ItemId, ItemOrdinal, UserId, UserOrdinal } from "../../schemas/ids.js";
import type { ReadModelReader, SearchOptions, SearchResult, UserRecord, VectorEngine } from "../../schemas/ports/read-model.js";
import type { Asker, Seeds, WeightedItems } from "./recall-step.js";
import { NOTHING } from "./recall-step.js";

const EMPTY: SearchResult = { ordinals: new Uint32Array(0), scores: new Float32Array(0), degraded: false };

/** The first `limit` of weighted ordinals that count, magnitudes adding up to 1. */
function strongest(ordinals: ArrayLike<number>, weights: ArrayLike<number>, limit: number): Seeds {
  const kept = Array.from({ length: ordinals.length }, (_, i) => i)
    .filter((i) => weights[i] !== 0)
    .slice(0, limit);
  const sum = kept.reduce((total, i) => total + Math.abs(weights[i]!), 0);
  return { ordinals: Uint32Array.from(kept, (i) => ordinals[i]!), weights: Float32Array.from(kept, (i) => weights[i]! / sum) };
}

/** Ordinals of what the read model knows, strongest first as given, at most `limit`. */
function toSeeds(readModel: ReadModelReader, { items, weights }: WeightedItems, limit: number): Seeds {
  const known = items
    .map((item, i) => ({ ordinal: readModel.itemOrdinal(item), weight: weights[i]! }))
    .filter(({ ordinal }) => ordinal !== undefined);
  return strongest(
    known.map(({ ordinal }) => ordinal as ItemOrdinal),
    known.map(({ weight }) => weight),
    limit,
  );
}

function toOrdinals(readModel: ReadModelReader, items: readonly ItemId[]): Uint32Array {
  const ordinals = new Uint32Array(items.length);
  let count = 0;
  for (const item of items) {
    const ordinal = readModel.itemOrdinal(item);
    if (ordinal !== undefined) ordinals[count++] = ordinal;
  }
  return ordinals.subarray(0, count);
}

/** A user by id; one without a row is told apart by `user` being undefined. */
export class UserAsker implements Asker {
  readonly kind = "user";
  readonly user: UserOrdinal | undefined;
  #record: UserRecord | null | undefined = null;
  #numbered: ReturnType<ReadModelReader["profile"]> | null = null;

  constructor(
    readonly id: UserId,
    readonly readModel: ReadModelReader,
    readonly engine: VectorEngine,
  ) {
    this.user = readModel.userOrdinal(id);
  }

  profile(): WeightedItems | undefined {
    if (this.#record === null) this.#record = this.readModel.user(this.id);
    return this.#record;
  }

  currentProfile(): WeightedItems | undefined {
    return this.readModel.user(this.id);
  }

  neighbors(options: SearchOptions): Promise<SearchResult> {
    return this.user === undefined
      ? Promise.resolve(EMPTY)
      : this.engine.searchFrom(this.user, { ...options, exclude: Uint32Array.of(this.user) });
  }

  vector(): Float32Array | undefined {
    return this.user === undefined ? undefined : this.engine.vector(this.user);
  }

  seeds(limit: number): Seeds {
    const profile = this.#ordinals();
    return profile === undefined ? NOTHING : strongest(profile.items, profile.weights, limit);
  }

  seen(): Uint32Array {
    return this.#ordinals()?.items ?? NOTHING.ordinals;
  }

  /** The profile by ordinals: reading the ids of a long one costs more than a search. */
  #ordinals(): ReturnType<ReadModelReader["profile"]> {
    if (this.#numbered === null) this.#numbered = this.user === undefined ? undefined : this.readModel.profile(this.user);
    return this.#numbered;
  }
}

/** An item: only its own listeners say anything. */
export class ItemAsker implements Asker {
  readonly kind = "item";
  readonly user = undefined;
  readonly #seed: Seeds;

  constructor(
    readonly id: ItemId,
    readModel: ReadModelReader,
  ) {
    this.#seed = toSeeds(readModel, { items: [id], weights: [1] }, 1);
  }

  profile(): undefined {}

  currentProfile(): undefined {}

  neighbors(): Promise<SearchResult> {
    return Promise.resolve(EMPTY);
  }

  vector(): undefined {}

  seeds(): Seeds {
    return this.#seed;
  }

  seen(): Uint32Array {
    return this.#seed.ordinals;
  }
}

/** Someone unknown, by the events of this session: nothing is stored. */
export class SessionAsker implements Asker {
  readonly kind = "session";
  readonly user = undefined;

  /** @param pooled undefined where no item of the session has a vector */
  constructor(
    readonly items: WeightedItems,
    readonly pooled: Float32Array | undefined,
    readonly readModel: ReadModelReader,
    readonly engine: VectorEngine,
  ) {}

  profile(): WeightedItems {
    return this.items;
  }

  currentProfile(): WeightedItems {
    return this.items;
  }

  neighbors(options: SearchOptions): Promise<SearchResult> {
    return this.pooled === undefined ? Promise.resolve(EMPTY) : this.engine.search(this.pooled, options);
  }

  vector(): Float32Array | undefined {
    return this.pooled;
  }

  seeds(limit: number): Seeds {
    return toSeeds(this.readModel, this.items, limit);
  }

  seen(): Uint32Array {
    return toOrdinals(this.readModel, this.items.items);
  }
}
