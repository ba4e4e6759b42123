import { afterEach, describe, expect, it } from "vitest";
import { EmbeddedEngine } from "../../../index/vector-engine/embedded-engine.js";
import { FaissNodeEngine, type FaissNodeSettings } from "../../../index/vector-engine/faiss-node-engine.js";
import { type FaissNode, loadFaissNode } from "../../../index/vector-engine/faiss-node-package.js";
import type { Metric, SearchOptions, SearchResult } from "../../../schemas/ports/read-model.js";
import { GENERATION, Oracle, vectorEngineConformance } from "./conformance.js";
import { type Listeners, listeners, randomOf, upTo } from "./listeners.js";

const faiss = await loadFaissNode();

/** Has a graph from the first row on, with everyone in it, and walks it wherever a walk can do. */
const WALKS: FaissNodeSettings = { minGraphRows: 1, freshShare: 0, scanRowsPerEf: 0 };

const table = (dims: number, metric: Metric): EmbeddedEngine => EmbeddedEngine.create({ dims, metric, generation: GENERATION });

/** Searches when everyone is in the graph. */
class SettledEngine extends FaissNodeEngine {
  override async search(query: Float32Array, options: SearchOptions): Promise<SearchResult> {
    const taken = query.slice();
    await this.settled();
    return super.search(taken, options);
  }
}

vectorEngineConformance("FaissNodeEngine", (dims, metric) => new FaissNodeEngine(faiss, table(dims, metric)));
vectorEngineConformance("FaissNodeEngine that always walks", (dims, metric) => new SettledEngine(faiss, table(dims, metric), WALKS), {
  crowds: false,
  deadlines: true,
});
