import { LoadClient, steadily } from "./http-load.js";
import type { KindredServer } from "./kindred-process.js";

/** Settings under which a few thousand rows get graphs and every few hundred moved ones a new graph. */
export const EAGER_SWAPS = {
  KINDRED_INDEX__MIN_GRAPH_ROWS: "500",
  KINDRED_INDEX__FRESH_LIMIT: "200",
  KINDRED_INDEX__REBUILD_SHARE: "0.05",
};

export interface SwapReport {
  readonly requests: number;
  /** Answers that were not 200, or of more than one generation. */
  readonly failed: number;
  readonly swaps: number;
  /** Mean over a sample of users: share of the exact 50 nearest, by the vectors that the API itself tells, that u2u answers. */
  readonly recallAt50: number;
  readonly p99Ms: number;
}

/** Recalls without a pause while `events` move users about, so that graphs are built and swapped meanwhile. */
export async function swapUnderLoad(
  server: KindredServer,
  users: readonly string[],
  event: (i: number) => object,
  options: { seconds: number; eventsPerSecond: number },
): Promise<SwapReport> {
  const client = new LoadClient(server.url, 8);
  try {
    const before = await swaps(client);
    const generations = new Set<number>();
    let failed = 0;
    const ms: number[] = [];
    const ends = performance.now() + options.seconds * 1000;
    const moving = steadily(options.eventsPerSecond / 20, options.seconds, (i) =>
      client.post("/v1/events", { events: Array.from({ length: 20 }, (_, k) => event(i * 20 + k)) }),
    );
    const asking = [0, 1, 2, 3].map(async (connection) => {
      for (let i = connection; performance.now() < ends; i += 4) {
        const answer = await client.get(`/v1/recall/u2u?user=${encodeURIComponent(users[(i * 7919) % users.length] as string)}&limit=50`);
        ms.push(answer.ms);
        const body = answer.status === 200 ? (JSON.parse(answer.body) as { generation: number; results: unknown[] }) : undefined;
        if (body === undefined || body.results.length === 0) failed++;
        else generations.add(body.generation);
      }
    });
    await Promise.all([moving, ...asking]);
    const sorted = ms.sort((a, b) => a - b);
    return {
      requests: ms.length,
      failed: failed + Math.max(0, generations.size - 1),
      swaps: (await swaps(client)) - before,
      recallAt50: await recallAt50(client, users),
      p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
    };
  } finally {
    client.close();
  }
}

async function swaps(client: LoadClient): Promise<number> {
  // The updater tells its counts every few seconds.
  await new Promise((resolve) => setTimeout(resolve, 6000));
  return Number(/^kindred_index_swaps_total(?:\{[^}]*\})? (\d+)/m.exec((await client.get("/metrics")).body)?.[1] ?? 0);
}

/** Of quiet users: nothing moves any more. Ties with the fiftieth count as found. */
async function recallAt50(client: LoadClient, users: readonly string[]): Promise<number> {
  const vectors: { id: string; unit: Float64Array }[] = [];
  for (const id of users) {
    const { vector } = JSON.parse((await client.get(`/v1/users/${encodeURIComponent(id)}?fields=vector`)).body) as {
      vector: number[] | null;
    };
    if (vector === null) continue;
    const length = Math.hypot(...vector);
    vectors.push({ id, unit: Float64Array.from(vector, (x) => x / length) });
  }
  let sum = 0;
  const sample = vectors.filter((_, i) => i % Math.ceil(vectors.length / 100) === 0);
  for (const { id, unit } of sample) {
    const scores = vectors
      .filter((other) => other.id !== id)
      .map((other) => ({ id: other.id, score: other.unit.reduce((dot, x, i) => dot + x * (unit[i] as number), 0) }));
    const exact = scores.sort((a, b) => b.score - a.score).slice(0, 50);
    const worst = (exact.at(-1)?.score ?? 0) - 1e-6;
    const answer = JSON.parse((await client.get(`/v1/recall/u2u?user=${encodeURIComponent(id)}&limit=50`)).body) as {
      results: { id: string; score: number }[];
    };
    const wanted = exact.filter(({ score }) => score > 0).length;
    sum += wanted === 0 ? 1 : Math.min(wanted, answer.results.filter(({ score }) => score >= worst).length) / wanted;
  }
  return sum / sample.length;
}
