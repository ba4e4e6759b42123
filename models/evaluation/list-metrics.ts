import { includes } from "./rank-all.js";

/** One value a query, by name: "recall@20", "recall@20/tail". NaN where the query does not count: nothing wanted of that segment. */
export type QueryValues = ReadonlyMap<string, Float64Array>;

/** Items parted by popularity or by type: that of a shared row is `names[segmentOf[row]]`. */
export interface Segments<Name extends string = string> {
  readonly names: readonly Name[];
  readonly segmentOf: Uint8Array;
}

/**
 * Recall (hits / wanted), precision (hits / k, also of shorter lists), NDCG (gain 1 / log2(rank + 1), ideal cut at k), hit rate and
 * reciprocal rank of the first hit of each list at each k; recall by segment too: hits of the segment among the same k, over what is
 * wanted of it.
 */
export class ListMetrics {
  readonly values: Map<string, Float64Array>;
  readonly #discounts: Float64Array;
  /** Sum of the first n discounts. */
  readonly #ideals: Float64Array;

  constructor(
    readonly ks: readonly number[],
    queries: number,
    private readonly segments?: Segments,
  ) {
    const empty = (): Float64Array => new Float64Array(queries).fill(Number.NaN);
    this.values = new Map(
      ks.flatMap((k) => [
        ...["recall", "precision", "ndcg", "hit", "mrr"].map((name): [string, Float64Array] => [`${name}@${k}`, empty()]),
        ...(segments?.names ?? []).map((name): [string, Float64Array] => [`recall@${k}/${name}`, empty()]),
      ]),
    );
    const longest = Math.max(...ks);
    this.#discounts = Float64Array.from({ length: longest }, (_, rank) => 1 / Math.log2(rank + 2));
    this.#ideals = new Float64Array(longest + 1);
    for (let n = 0; n < longest; n++) this.#ideals[n + 1] = this.#ideals[n]! + this.#discounts[n]!;
  }

  /** @param wanted ascending, at least one */
  add(query: number, list: Uint32Array, count: number, wanted: Uint32Array): void {
    const { segments } = this;
    const hitsIn = new Float64Array(segments?.names.length ?? 0);
    const wantedIn = new Float64Array(hitsIn.length);
    if (segments) for (const row of wanted) wantedIn[segments.segmentOf[row]!]!++;
    let [hits, gain, rank, first] = [0, 0, 0, Number.POSITIVE_INFINITY];
    for (const k of [...this.ks].sort((a, b) => a - b)) {
      for (; rank < Math.min(k, count); rank++) {
        if (!includes(wanted, list[rank]!)) continue;
        hits++;
        first = Math.min(first, rank + 1);
        gain += this.#discounts[rank]!;
        if (segments) hitsIn[segments.segmentOf[list[rank]!]!]!++;
      }
      this.#set(`recall@${k}`, query, hits / wanted.length);
      this.#set(`precision@${k}`, query, hits / k);
      this.#set(`ndcg@${k}`, query, gain / this.#ideals[Math.min(k, wanted.length)]!);
      this.#set(`hit@${k}`, query, hits > 0 ? 1 : 0);
      this.#set(`mrr@${k}`, query, 1 / first);
      // 0 / 0 is NaN, which is what says that the query does not count here.
      segments?.names.forEach((name, i) => void this.#set(`recall@${k}/${name}`, query, hitsIn[i]! / wantedIn[i]!));
    }
  }

  #set(name: string, query: number, value: number): void {
    this.values.get(name)![query] = value;
  }
}

/** The mean of all that count; NaN where none does. */
export function meanOf(values: Float64Array): number {
  let [sum, count] = [0, 0];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return sum / count;
}
