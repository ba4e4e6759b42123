import { createSkipGramTrainer, type SkipGramPath, type SkipGramTrainer } from "../../native/skip-gram.js";
import { KindredError } from "../../schemas/errors.js";
import type { ItemMatrix, ItemModel, NodeVectors, TrainingSet } from "../../schemas/model.js";
import { HeterogeneousGraph } from "../walks/heterogeneous-graph.js";
import { compileMetaPath, contextTable, defaultMetaPaths } from "../walks/meta-path.js";
import {
  METAPATH2VEC_ABOUT,
  METAPATH2VEC_DEFAULTS,
  METAPATH2VEC_RANGES,
  type Metapath2vecSettings,
  metapath2vecSettings,
} from "./metapath2vec-settings.js";
import type { ModelKind, Trained, TrainingOptions } from "./model-kind.js";
import { coded, runSkipGram } from "./run-trainer.js";

export const METAPATH2VEC: ModelKind<Metapath2vecSettings> = {
  kind: "metapath2vec",
  summary: "vectors of users, items, creators, tags and scenes that meet on walks along meta-paths",
  defaults: METAPATH2VEC_DEFAULTS,
  ranges: METAPATH2VEC_RANGES,
  about: METAPATH2VEC_ABOUT,
  train: trainMetapath2vec,
};

/** Nodes of a walk that share negatives. A walk is cut into such parts, and pairs are within one. */
const PART = 20;

/**
 * metapath2vec (Dong, Chawla, Swami, KDD 2017), and with `heterogeneousNegatives` metapath2vec++: skip-gram over walks that follow
 * types of nodes, so that a song and a podcast are near where the same people, creators or tags lead to both. A user is still the mean of the
 * input vectors of their items, so that it can be kept up to date; users as nodes have vectors beside that, like all other nodes.
 * @throws KindredError INVALID_ARGUMENT: a path that the data can't be walked by, or the training diverges
 */
export async function trainMetapath2vec(
  set: TrainingSet,
  given: Partial<Metapath2vecSettings>,
  options: TrainingOptions = {},
): Promise<Trained> {
  const settings = metapath2vecSettings(given);
  const graph = new HeterogeneousGraph(set, settings.damping);
  const texts = settings.path.split(",").filter((text) => text.trim() !== "");
  const paths = (texts.length > 0 ? texts : defaultMetaPaths(graph)).map((text) => compileMetaPath(text, graph));
  const degrees = degreesOf(graph);
  const trainer = coded(() => trainerOf(graph, paths, degrees, settings, options));
  const walkers = paths.reduce((sum, { nodes }) => sum + nodes.length, 0);
  const { tables, ...trained } = await runSkipGram(trainer, settings, walkers, options);
  // AdaGrad's sums say who has learned anything; without them, whom walks lead to.
  const met = settings.optimizer === "adagrad" ? tables.inputSquares : degrees;
  const input = { dims: settings.dims, values: onlyMet(tables.input, settings.dims, met) };
  const output = { dims: settings.dims, values: onlyMet(tables.output, settings.dims, met) };
  const model: ItemModel = {
    kind: "metapath2vec",
    items: set.histories.items,
    input: part(input, 0, graph.items),
    output: part(output, 0, graph.items),
    score: "dot",
    nodes: nodesOf(graph, input),
  };
  return { ...trained, model };
}

function trainerOf(
  graph: HeterogeneousGraph,
  paths: readonly SkipGramPath[],
  degrees: Float64Array,
  settings: Metapath2vecSettings,
  options: TrainingOptions,
): SkipGramTrainer {
  if (!paths.some(({ nodes }) => nodes.length > 0))
    throw new KindredError("INVALID_ARGUMENT", "no node can begin a walk: there is nothing to learn from", "path");
  const { dims, epochs, threads, seed, negatives, negativeWeight, rate, lastRate, length, window } = settings;
  return createSkipGramTrainer({
    ...{ dims, epochs, threads, seed, negatives, negativeWeight, rate, lastRate },
    block: Math.max(2, Math.min(length, PART)),
    strataShare: 0,
    adagrad: settings.optimizer === "adagrad",
    plain: options.plain === true,
    starts: Uint32Array.of(0),
    rows: new Uint32Array(0),
    weights: Float32Array.from(degrees, (degree) => (degree === 0 ? 0 : degree ** settings.exponent)),
    strata: graph.types,
    keep: new Float32Array(graph.nodes).fill(1),
    walks: {
      relations: graph.relations,
      paths: paths.filter(({ nodes }) => nodes.length > 0),
      ...{ length, window },
      types: graph.typeNames.length,
      contexts: contextTable(settings.context, graph),
      typedNegatives: settings.heterogeneousNegatives,
    },
  });
}

/** How many edges of the walked relations lead to each node; 0: no walk meets it. */
function degreesOf({ nodes, relations }: HeterogeneousGraph): Float64Array {
  const degrees = new Float64Array(nodes);
  for (const { targets } of relations) for (const target of targets) degrees[target]!++;
  return degrees;
}

/** Whom no walk meets has learned nothing, nor who has no context on any: zeros, so that it is neither pooled nor found. */
function onlyMet(table: Float32Array, dims: number, met: Float32Array | Float64Array): Float32Array {
  const values = table.slice();
  for (let node = 0; node < met.length; node++) if (met[node] === 0) values.fill(0, node * dims, (node + 1) * dims);
  return values;
}

const part = ({ dims, values }: ItemMatrix, from: number, to: number): ItemMatrix => ({
  dims,
  values: values.slice(from * dims, to * dims),
});

/** Types of which a node was met. */
function nodesOf({ ranges }: HeterogeneousGraph, input: ItemMatrix): NodeVectors[] {
  return ranges.flatMap(({ type, first, ids }) => {
    const vectors = part(input, first, first + ids.length);
    return vectors.values.some((value) => value !== 0) ? [{ type, ids, vectors }] : [];
  });
}
