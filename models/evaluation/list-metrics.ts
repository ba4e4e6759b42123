import { includes } from "./rank-all.js";
import type { Segment } from "./segments.js";

/** One value a query, by name: "recall@20", "recall@20/tail". NaN where the query does not count: nothing wanted of that segment. */
export type QueryValues = ReadonlyMap<string, Float64Array>;

/** Where each segment's items are, by shared row; `names[segmentOf[row]]`. */
export interface Segments {
  readonly names: readonly Segment[];
  readonly segmentOf: Uint8Array;
}

/**
 * Recall (hits / wanted), precision (hits / k, also of shorter lists), NDCG (gain 1 / log2(rank + 1), ideal cut at k) and hit rate of each
 * list at each k; recall by segment too: hits of the segment among the same k, over what is wanted of it.
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
    const parts = (segments?.names ?? []).map((name) => `recall/${name}`);
    const names = ["recall", "precision", "ndcg", "hit", ...parts];
    this.values = new Map(ks.flatMap((k) => names.map((name) => [nameAt(name, k), new Float64Array(queries).fill(Number.NaN)])));
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
    let [hits, gain, rank] = [0, 0, 0];
    for (const k of [...this.ks].sort((a, b) => a - b)) {
      for (; rank < Math.min(k, count); rank++) {
        if (!includes(wanted, list[rank]!)) continue;
        hits++;
        gain += this.#discounts[rank]!;
        if (segments) hitsIn[segments.segmentOf[list[rank]!]!]!++;
      }
      this.#set("recall", k, query, hits / wanted.length);
      this.#set("precision", k, query, hits / k);
      this.#set("ndcg", k, query, gain / this.#ideals[Math.min(k, wanted.length)]!);
      this.#set("hit", k, query, hits > 0 ? 1 : 0);
      // 0 / 0 is NaN, which is what says that the query does not count here.
      segments?.names.forEach((name, i) => void this.#set(`recall/${name}`, k, query, hitsIn[i]! / wantedIn[i]!));
    }
  }

  #set(name: string, k: number, query: number, value: number): void {
    this.values.get(nameAt(name, k))![query] = value;
  }
}

const nameAt = (name: string, k: number): string => {
  const [metric, part] = name.split("/");
  return part === undefined ? `${metric}@${k}` : `${metric}@${k}/${part}`;
};

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
