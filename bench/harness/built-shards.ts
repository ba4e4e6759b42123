import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasShards, openShards, saveShards } from "../../index/shards/shard-files.js";
import { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import type { Generation } from "../../schemas/ids.js";
import { LowRankVectors } from "./low-rank-vectors.js";

/** Vectors handed over in one call. */
const ROWS_A_CALL = 10_000;
export const GRAPH = { m: 16, efConstruction: 80, seed: 1 };
/** Who the tables hold; queries are drawn with other seeds. */
export const ROWS_SEED = 1;

export interface BuiltSettings {
  readonly rows: number;
  readonly dims?: number;
  readonly shards?: number;
}

/** An id as long as real ones. */
export const userId = (ordinal: number): string => `user-${String(ordinal).padStart(8, "0")}`;
export const ordinalsOf = (ids: readonly string[]): Uint32Array => Uint32Array.from(ids, (id) => Number(id.slice(5)));

/** A table of seeded vectors that has no graph yet. */
export function filledEngine({ rows, dims = 64, shards = 1 }: BuiltSettings, storage: "float32" | "float16" = "float32"): EmbeddedEngine {
  const engine = EmbeddedEngine.create({ dims, metric: "cosine", generation: 0 as Generation, shards, storage });
  const drawn = new LowRankVectors(ROWS_SEED, dims);
  for (let first = 0; first < rows; first += ROWS_A_CALL) {
    const count = Math.min(ROWS_A_CALL, rows - first);
    engine.upsert({ ordinals: Uint32Array.from({ length: count }, (_, i) => first + i), vectors: drawn.rows(count) });
  }
  return engine;
}

/** Stages, verifies and publishes a shard's next graph; CPU seconds of the whole process meanwhile. */
export async function rebuild(engine: EmbeddedEngine, shard: number): Promise<{ seconds: number; cpuSeconds: number; recall: number }> {
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const verified = await (await engine.stage(shard, GRAPH)).verify();
  await verified.publish(0);
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: (performance.now() - began) / 1000, cpuSeconds: (user + system) / 1e6, recall: verified.recall };
}

/** Where the files of such a table lie between benches. A graph of a million rows costs minutes of CPU. */
export async function builtDirectory(settings: BuiltSettings): Promise<string> {
  const { rows, dims = 64, shards = 1 } = settings;
  const directory = join(tmpdir(), "kindred-bench", `low-rank-${rows}x${dims}-${shards}`);
  if (hasShards(directory)) return directory;
  const engine = filledEngine(settings);
  for (let shard = 0; shard < shards; shard++) {
    const { seconds, cpuSeconds, recall } = await rebuild(engine, shard);
    console.log(
      `built shard ${shard} of ${rows} rows in ${seconds.toFixed(0)} s, ${cpuSeconds.toFixed(0)} CPU s; recall@50 ${recall.toFixed(4)}`,
    );
  }
  await saveShards(engine, directory, {
    positions: new Map(),
    idsOf: (ordinals) => Array.from(ordinals, userId),
  });
  await engine.close();
  return directory;
}

/** Such a table with its graphs, in memory. */
export async function builtEngine(settings: BuiltSettings): Promise<EmbeddedEngine> {
  const { engine } = await openShards(await builtDirectory(settings), { ordinalsOf });
  return engine;
}
