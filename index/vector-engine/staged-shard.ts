import type { NativeMeasuredRecall, NativeStagedGraph, NativeVectorIndex } from "../../native/vector-index.js";
import { KindredError } from "../../schemas/errors.js";
import { translatedAsync } from "../native-errors.js";

/** Parameters of a graph. */
export interface BuildSettings {
  /** Links of a node, 2..64 (twice as many on the lowest level); 16 by default. */
  readonly m?: number;
  /** Breadth of the search for links, 8..2,000; 80 by default. */
  readonly efConstruction?: number;
  /** The same vectors and seed give the same graph. */
  readonly seed?: number;
}

export interface VerifySettings {
  /** Queries, 1..100,000; 200 by default. */
  readonly samples?: number;
  /** 50 by default. */
  readonly k?: number;
  /** The engine's own by default. */
  readonly ef?: number;
  readonly seed?: number;
}

/** A graph that is built and not searched yet. The only way on is `verify`, at one ef after another if need be; `discard` gives it up. */
export class StagedShard {
  readonly #index: NativeVectorIndex;
  readonly #graph: NativeStagedGraph;

  constructor(
    index: NativeVectorIndex,
    graph: NativeStagedGraph,
    readonly shard: number,
  ) {
    this.#index = index;
    this.#graph = graph;
  }

  get nodes(): number {
    return this.#graph.nodes;
  }

  /** Asks stored vectors of the shard for their neighbours, by the graph and by an exact scan. */
  async verify(settings: VerifySettings = {}): Promise<VerifiedShard> {
    const { samples = 200, k = 50, ef = 0, seed = 1 } = settings;
    const measured = await translatedAsync(() => this.#index.verify(this.#graph, samples, k, ef, seed));
    if (measured.recall < 0) throw new KindredError("NOT_READY", "the engine was closed while a shard was verified");
    return new VerifiedShard(this.#index, this.#graph, this.shard, measured);
  }

  discard(): void {
    this.#graph.discard();
  }
}

/** A graph whose recall is known. It can be published once. */
export class VerifiedShard {
  readonly #index: NativeVectorIndex;
  readonly #graph: NativeStagedGraph;

  constructor(
    index: NativeVectorIndex,
    graph: NativeStagedGraph,
    readonly shard: number,
    readonly measured: NativeMeasuredRecall,
  ) {
    this.#index = index;
    this.#graph = graph;
  }

  /** recall@k, 0..1 */
  get recall(): number {
    return this.measured.recall;
  }

  /**
   * From now on searches take it; the one before is freed when its last reader has left.
   * @throws KindredError SHARD_UNVERIFIED where recall is below `minRecall`: nothing changed; INVALID_ARGUMENT the second time
   */
  async publish(minRecall: number): Promise<void> {
    await translatedAsync(() => this.#index.publish(this.#graph, minRecall));
  }

  discard(): void {
    this.#graph.discard();
  }
}
