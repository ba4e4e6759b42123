import { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import { FaissNodeEngine } from "../../index/vector-engine/faiss-node-engine.js";
import { loadFaissNode } from "../../index/vector-engine/faiss-node-package.js";
import type { Config } from "../../schemas/config.js";
import type { Log } from "../../schemas/ports/log.js";
import type { VectorEngine } from "../../schemas/ports/read-model.js";

/** Whether the updater builds graphs over the vectors: the exact engine has none, faiss-node its own where searches run. */
export const buildsGraphs = ({ index }: Config): boolean => index.engine === "embedded";

/** Whether the engine of the thread that answers must be told who moved: it has a graph of its own over shared vectors. */
export const wantsMoves = ({ index }: Config): boolean => index.engine === "faiss-node";

/** @throws KindredError ENGINE_MISSING: better before anything was begun */
export async function requireEngine({ index }: Config): Promise<void> {
  if (index.engine === "faiss-node") await loadFaissNode();
}

/** An engine over vectors that another thread writes. */
export interface AttachedEngine {
  readonly engine: VectorEngine;
  /** To be told of every write since before it was attached, and before the write's position counts as applied. */
  moved(ordinals: Uint32Array): void;
}

/**
 * The configured engine in the thread that answers, over the vectors of an EmbeddedEngine of another thread.
 * @param handle of that engine
 */
export async function attachEngine(handle: number, { index }: Config, log: Log): Promise<AttachedEngine> {
  if (index.engine !== "faiss-node") return { engine: EmbeddedEngine.attach(handle), moved: () => undefined };
  const faiss = await loadFaissNode();
  const vectors = EmbeddedEngine.attach(handle);
  const engine = new FaissNodeEngine(faiss, vectors, {
    m: index.m,
    ef: index.ef,
    minGraphRows: index.minGraphRows,
    freshCap: index.freshLimit,
    freshShare: index.rebuildShare,
    driftCosine: index.driftCosine,
    minRecall: index.verifyRecall,
    onError: (err) => log.error({ err }, "faiss-node has no graph any more; all vectors are scanned"),
    onPlaced: (stats) => log.info({ ...stats }, "the graph of faiss-node has who was due"),
  });
  try {
    engine.moved(await vectors.ordinals());
  } catch (error) {
    await engine.close();
    throw error;
  }
  return { engine, moved: (ordinals) => engine.moved(ordinals) };
}
