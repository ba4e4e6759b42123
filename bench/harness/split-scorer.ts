import { createVectorIndex } from "../../native/vector-index.js";
import type { Histories, ItemModel } from "../../schemas/model.js";

/** Of all users with test items, as LightGCN counts: own train items are masked, hits by the number of test items. */
export interface SplitScore {
  readonly recall: number;
  readonly ndcg: number;
  readonly users: number;
  /** Recall of the test items that lie in the head, middle and tail third of train interactions, by users who have any. */
  readonly byThird: readonly [head: number, middle: number, tail: number];
}

/** For each item the third of interactions it is in: 0 head, 1 middle, 2 tail. */
export function thirdsOf({ items, rows }: Histories): Uint8Array {
  const counts = new Uint32Array(items.length);
  for (const row of rows) counts[row]!++;
  const order = [...counts.keys()].sort((a, b) => counts[b]! - counts[a]!);
  const thirds = new Uint8Array(items.length);
  let before = 0;
  for (const row of order) {
    thirds[row] = Math.min(2, Math.floor((3 * before) / rows.length));
    before += counts[row]!;
  }
  return thirds;
}

/** Ranks all items for users of `train` by pooled input against output vectors, exactly; `every`: one user in so many. */
export async function scoreSplit(model: ItemModel, train: Histories, test: Histories, k = 20, every = 1): Promise<SplitScore> {
  const { dims } = model.output;
  const index = createVectorIndex({
    ...{ dims, storage: "float32", shards: 1, driftCosine: 0.9, ef: 64, scanRowsPerEf: 0, generation: 1 },
    metric: model.score === "cosine" ? "cosine" : "inner-product",
  });
  index.upsert(
    Uint32Array.from(model.items, (_, row) => row),
    model.output.values,
  );
  const rowOf = new Map(model.items.map((item, row) => [item, row]));
  const userOf = new Map(train.users.map((user, at) => [user, at]));
  const thirds = thirdsOf(train);
  const totals = new Totals(k);
  try {
    for (let user = 0; user < test.users.length; user += every) {
      const wanted = new Set([...test.rows.subarray(test.starts[user], test.starts[user + 1])].map((row) => rowOf.get(test.items[row]!)!));
      const known = userOf.get(test.users[user]!);
      if (wanted.size === 0 || known === undefined) continue;
      const own = train.rows.slice(train.starts[known], train.starts[known + 1]);
      const found = await index.search(pooled(model, own), k, 0, own, undefined, 0, true);
      totals.add([...found.ordinals.subarray(0, found.counts[0])], wanted, thirds);
    }
  } finally {
    index.close();
  }
  return totals.score();
}

/** Mean of input vectors; scaled up, as a length has no meaning for a ranking. */
function pooled({ input: { dims, values } }: ItemModel, rows: Uint32Array): Float32Array {
  const sum = new Float32Array(dims);
  for (const row of rows) for (let d = 0; d < dims; d++) sum[d]! += values[row * dims + d]!;
  return sum.map((x) => x / Math.max(1, rows.length));
}

class Totals {
  #users = 0;
  #recall = 0;
  #ndcg = 0;
  readonly #thirds = [0, 0, 0];
  readonly #thirdUsers = [0, 0, 0];

  constructor(private readonly k: number) {}

  add(found: readonly number[], wanted: ReadonlySet<number | undefined>, thirds: Uint8Array): void {
    const gain = (rank: number): number => 1 / Math.log2(rank + 2);
    let [hits, dcg, ideal] = [0, 0, 0];
    const [hitsBy, wantedBy] = [
      [0, 0, 0],
      [0, 0, 0],
    ];
    for (const row of wanted) if (row !== undefined) wantedBy[thirds[row]!]!++;
    for (const [rank, row] of found.entries()) {
      if (!wanted.has(row)) continue;
      hits++;
      dcg += gain(rank);
      hitsBy[thirds[row]!]!++;
    }
    for (let rank = 0; rank < Math.min(this.k, wanted.size); rank++) ideal += gain(rank);
    this.#users++;
    this.#recall += hits / wanted.size;
    this.#ndcg += dcg / ideal;
    for (const third of [0, 1, 2])
      if (wantedBy[third]! > 0) {
        this.#thirdUsers[third]!++;
        this.#thirds[third]! += hitsBy[third]! / wantedBy[third]!;
      }
  }

  score(): SplitScore {
    const [head, middle, tail] = this.#thirds.map((sum, third) => sum / Math.max(1, this.#thirdUsers[third]!)) as [number, number, number];
    const users = Math.max(1, this.#users);
    return { recall: this.#recall / users, ndcg: this.#ndcg / users, users: this.#users, byThird: [head, middle, tail] };
  }
}
