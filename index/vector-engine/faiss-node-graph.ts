import type { FaissNode, FaissNodeIndex } from "./faiss-node-package.js";

/** A row to be placed; the vector is kept. */
export interface PlacedRow {
  readonly ordinal: number;
  readonly vector: Float32Array;
}

interface Node {
  readonly vector: Float32Array;
  /** Who is there now; nobody where all moved or went. */
  readonly members: Set<number>;
}

/**
 * An HNSW graph of faiss-node with ordinals for its labels. It only grows: whoever moves is placed once more, and a node that
 * all have left still leads to others. Such dead nodes take up places of each answer, until the graph is made anew.
 * Rows with one and the same vector share a node: side by side they would link to nobody but each other, and whole regions
 * would never be reached.
 */
export class FaissNodeGraph {
  readonly #index: FaissNodeIndex;
  /** By label. The package gives no vector back. */
  readonly #nodes: Node[] = [];
  readonly #labelOf = new Map<number, number>();
  readonly #labelsByHash = new Map<number, number>();
  #dead = 0;

  /** By inner product: cosines are those of unit vectors. @param m links of a node, 4..64; efConstruction is Faiss' 40 */
  constructor(faiss: FaissNode, dims: number, m: number) {
    this.#index = faiss.Index.fromFactory(dims, `HNSW${m},Flat`, faiss.MetricType.METRIC_INNER_PRODUCT);
  }

  get nodes(): number {
    return this.#nodes.length;
  }

  get dead(): number {
    return this.#dead;
  }

  /** Ordinals that it leads to. */
  ordinals(): IterableIterator<number> {
    return this.#labelOf.keys();
  }

  placedAt(ordinal: number): Float32Array | undefined {
    const label = this.#labelOf.get(ordinal);
    return label === undefined ? undefined : this.#nodes[label]?.vector;
  }

  /** Together rather than one by one: each call of Faiss' costs time by the size of the graph. */
  add(rows: readonly PlacedRow[]): void {
    const numbers: number[] = [];
    for (const { ordinal, vector } of rows) {
      this.forget(ordinal);
      const hash = hashOf(vector);
      const twin = this.#labelsByHash.get(hash);
      const node = twin === undefined ? undefined : this.#nodes[twin];
      if (twin !== undefined && node !== undefined && areSame(vector, node.vector)) {
        if (node.members.size === 0) this.#dead--;
        node.members.add(ordinal);
        this.#labelOf.set(ordinal, twin);
        continue;
      }
      for (const x of vector) numbers.push(x);
      this.#labelsByHash.set(hash, this.#nodes.length);
      this.#labelOf.set(ordinal, this.#nodes.length);
      this.#nodes.push({ vector, members: new Set([ordinal]) });
    }
    if (numbers.length > 0) this.#index.add(numbers);
  }

  forget(ordinal: number): void {
    const label = this.#labelOf.get(ordinal);
    if (label === undefined) return;
    this.#labelOf.delete(ordinal);
    const members = this.#nodes[label]?.members;
    members?.delete(ordinal);
    if (members?.size === 0) this.#dead++;
  }

  /** Ordinals at the `count` nodes that a walk takes for the nearest; `count` is its breadth too, as nothing else sets it. */
  nearest(query: Float32Array, count: number): number[] {
    const { labels } = this.#index.search(Array.from(query), Math.min(count, this.nodes));
    const found: number[] = [];
    // Labels of -1 stand for what was not found.
    for (const label of labels) for (const ordinal of this.#nodes[label]?.members ?? []) found.push(ordinal);
    return found;
  }
}

const squared = (vector: Float32Array): number => vector.reduce((sum, x) => sum + x * x, 0);

/** FNV-1a over the direction in steps of 1e-4 and the length: numbers that differ by rounding only mostly get the same. */
function hashOf(vector: Float32Array): number {
  const length = Math.sqrt(squared(vector));
  let hash = (0x811c9dc5 ^ Math.round(Math.log2(length) * 1e4)) | 0;
  for (const x of vector) hash = Math.imul(hash ^ Math.round((x / length) * 1e4), 0x01000193);
  return hash;
}

function areSame(a: Float32Array, b: Float32Array): boolean {
  let apart = 0;
  for (let d = 0; d < a.length; d++) apart += ((a[d] as number) - (b[d] as number)) ** 2;
  return apart <= 1e-12 * squared(a);
}
