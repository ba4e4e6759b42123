import { isMainThread } from "node:worker_threads";
import { KindredError } from "../../schemas/errors.js";

/** An index of the package: it grows, and numbers its rows 0, 1, 2, ... in the order they came. Every call blocks the thread. */
export interface FaissNodeIndex {
  ntotal(): number;
  /** Whole rows, one after the other. */
  add(rows: number[]): void;
  /** @param k at most ntotal(). Labels of -1 stand for rows that were not found. */
  search(query: number[], k: number): { readonly distances: number[]; readonly labels: number[] };
}

/** What is used of the package. What Faiss throws out of `add` and `search` ends the process: look at every argument before. */
export interface FaissNode {
  readonly Index: { fromFactory(dims: number, description: string, metric: number): FaissNodeIndex };
  readonly MetricType: { readonly METRIC_INNER_PRODUCT: number };
}

// Not a literal: the package is optional, and the compiler must not ask for its types.
const PACKAGE: string = "faiss-node";

let loading: Promise<FaissNode> | undefined;

/**
 * The optional package faiss-node, loaded once. In the main thread only: its class is kept in one variable of the process,
 * so that after a second thread loaded it the first one's next index ends the process.
 * @throws KindredError ENGINE_MISSING, INVALID_ARGUMENT in a worker thread
 */
export async function loadFaissNode(): Promise<FaissNode> {
  if (!isMainThread) throw new KindredError("INVALID_ARGUMENT", "faiss-node is loaded in the main thread only");
  loading ??= importFaissNode();
  return loading;
}

/** @throws KindredError ENGINE_MISSING where no such package is installed, or its addon is not compiled */
export async function importFaissNode(name: string = PACKAGE): Promise<FaissNode> {
  try {
    return ((await import(name)) as { default: FaissNode }).default;
  } catch (cause) {
    const reason = (cause as Error).message.split("\n")[0];
    throw new KindredError(
      "ENGINE_MISSING",
      `faiss-node cannot be loaded; run: node setup/faiss-node.mjs (${reason})`,
      "config index.engine",
      {
        cause,
      },
    );
  }
}
