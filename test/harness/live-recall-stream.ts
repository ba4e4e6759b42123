import { type PublisherSettings, ShardPublisher, type Swap, type Tuned } from "../../index/shards/shard-publisher.js";
import { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import { RandomIndexing } from "../../models/item-vectors/random-indexing.js";
import { SodiumCipher } from "../../native/cipher.js";
import type { Config } from "../../schemas/config.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import type { CatalogueNumber, UserId } from "../../schemas/ids.js";
import type { FoldedBatch } from "../../schemas/ports/folded-batch.js";
import type { SearchResult } from "../../schemas/ports/read-model.js";
import { buildCatalogue, generationZero } from "../../state/catalogue-builder.js";
import { foldSettings } from "../../state/fold-settings.js";
import { BuildPace } from "./build-pace.js";
import { PipelineDriver } from "./pipeline-driver.js";

const K = 50;
const EVENTS_A_SEND = 500;

export interface StreamSettings {
  readonly events: readonly BehaviourEvent[];
  readonly dims: number;
  readonly index: Pick<Config["index"], "ef" | "driftCosine" | "shards" | "storage">;
  /** The engine's own by default; 0: few rows are no reason to scan them all; that most are in no graph still is. */
  readonly scanRowsPerEf?: number;
  readonly publisher: PublisherSettings;
  /** Of the stream's own clock, by which the publisher rests, measures and looks what is due. */
  readonly eventsPerSecond: number;
  readonly checkpoints: number;
  readonly usersAsked: number;
  /** Whole numbers 0..n-1. */
  readonly random: (n: number) => number;
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void;
}

export interface Checkpoint {
  /** Of the stream, 0..1. */
  readonly share: number;
  readonly rows: number;
  /** recall@50 at the engine's ef, against exact scans of the same vectors. */
  readonly recall: number;
  readonly ef: number;
  readonly swaps: number;
  /** Whether a graph answered, and not a scan of everything. */
  readonly walked: boolean;
}

export interface StreamReport {
  readonly checkpoints: readonly Checkpoint[];
  readonly swaps: readonly Swap[];
  readonly tuned: readonly (Tuned & { readonly share: number })[];
  readonly failures: number;
  /** Without the checkpoints. */
  readonly cpuSeconds: number;
  readonly measureCpuSeconds: number;
}

/**
 * Events go through the real pipeline into a real engine, whose publisher builds, swaps and tunes meanwhile. Now and then
 * nothing is written for a moment, and users are asked for twice: as a search comes, and by an exact scan. The clock is the
 * stream's: so many events are a second, and while a graph is built they wait until its thread had a second of CPU. So it is
 * as on a machine with a core to spare for builds, whatever else this one has to do.
 */
export async function liveRecallStream(settings: StreamSettings): Promise<StreamReport> {
  const { events, dims, index, scanRowsPerEf, eventsPerSecond } = settings;
  const [ref, ordinals] = [generationZero(dims), new Map<UserId, number>()];
  const engine = EmbeddedEngine.create({
    ...{ dims, metric: "cosine", generation: ref.generation, ...index },
    ...(scanRowsPerEf !== undefined && { scanRowsPerEf }),
  });
  const report = { checkpoints: [] as Checkpoint[], swaps: [] as Swap[], tuned: [] as StreamReport["tuned"][number][] };
  let sent = 0;
  const publisher = new ShardPublisher(engine, {
    ...settings.publisher,
    clock: () => (sent / eventsPerSecond) * 1000,
    onSwap: (swap) => report.swaps.push(swap),
    onTuned: (tuned) => report.tuned.push({ ...tuned, share: sent / events.length }),
  });
  const driver = await PipelineDriver.open({
    cipher: new SodiumCipher(),
    itemVectors: () => RandomIndexing.of(ref),
    catalogue: buildCatalogue(1 as CatalogueNumber, { settings: foldSettings(), items: [], generations: [ref] }),
    publisher: { publish: (folded) => upsert(engine, ordinals, folded) },
  });
  const pace = new BuildPace();
  let cpuSeconds = 0;
  try {
    for (let next = 1; next <= settings.checkpoints; next++) {
      const until = Math.round((events.length * next) / settings.checkpoints);
      const cpu = process.cpuUsage();
      while (sent < until) {
        const part = events.slice(sent, Math.min(sent + EVENTS_A_SEND, until));
        await driver.send(...part);
        sent += part.length;
        await driver.drain();
        void publisher.check();
        await publisher.measureIfDue();
        await pace.keep(part.length / eventsPerSecond, () => publisher.stats().building);
      }
      const { user, system } = process.cpuUsage(cpu);
      cpuSeconds += (user + system) / 1e6;
      const at = await checkpoint(engine, sent / events.length, settings);
      report.checkpoints.push(at);
      settings.onCheckpoint?.(at);
    }
    const { failures, measureCpuSeconds } = publisher.stats();
    return { ...report, failures, measureCpuSeconds, cpuSeconds };
  } finally {
    await driver.close();
    await engine.close();
    await publisher.settled();
  }
}

function upsert(engine: EmbeddedEngine, known: Map<UserId, number>, { rows, vectors }: FoldedBatch): void {
  const ordinals = Uint32Array.from(rows, ({ user }) => {
    const ordinal = known.get(user) ?? known.size;
    known.set(user, ordinal);
    return ordinal;
  });
  const values = vectors[0]?.values;
  if (values !== undefined && ordinals.length > 0) engine.upsert({ ordinals, vectors: values });
}

async function checkpoint(
  engine: EmbeddedEngine,
  share: number,
  { usersAsked, random, scanRowsPerEf = 100 }: StreamSettings,
): Promise<Checkpoint> {
  const { size, shards, swaps } = engine.stats();
  const fresh = shards.reduce((sum, shard) => sum + shard.fresh, 0);
  const { ef } = engine;
  let sum = 0;
  for (let asked = 0; asked < usersAsked; ) {
    const ordinal = random(size);
    const query = engine.vector(ordinal);
    if (query === undefined) continue;
    const options = { k: K, exclude: Uint32Array.of(ordinal) };
    const [found, exact] = [await engine.searchFrom(ordinal, options), await engine.searchExact(query, options)];
    sum += recallOf(found, exact);
    asked++;
  }
  const walked = size >= scanRowsPerEf * Math.max(ef, K) && fresh * 2 < size;
  return { share, rows: size, recall: sum / usersAsked, ef, swaps, walked };
}

/** Ties with the last count as found. */
function recallOf(found: SearchResult, exact: SearchResult): number {
  const count = exact.scores.length;
  if (count === 0) return 1;
  const worst = (exact.scores[count - 1] as number) - 1e-6;
  return Math.min(count, found.scores.filter((score) => score >= worst).length) / count;
}
