import { createInteractionGraphTrainer, type InteractionGraphTrainer } from "../../native/interaction-graph.js";
import { KindredError } from "../../schemas/errors.js";
import type { ItemModel, TrainingSet } from "../../schemas/model.js";
import { popularityOf } from "../training-set/histories.js";
import { GRAPH_ABOUT, GRAPH_DEFAULTS, GRAPH_RANGES, type GraphSettings, graphSettings } from "./graph-settings.js";
import { mixSideInformation } from "./mix-side-information.js";
import type { ModelKind, Trained, TrainingOptions } from "./model-kind.js";
import { coded, runSkipGram } from "./run-trainer.js";

export const GRAPH: ModelKind<GraphSettings> = {
  kind: "graph",
  summary: "vectors of items over the graph of who has what (spectral start, sampled softmax of pooled users, smoothing)",
  defaults: GRAPH_DEFAULTS,
  ranges: GRAPH_RANGES,
  about: GRAPH_ABOUT,
  train: trainGraph,
};

/** Passes over the edges for the spectrum, of which more change nothing after the training. */
const PASSES = 6;
/** Hidden items of a history that one step learns from at most, so that who has thousands costs no more than others. */
const POSITIVES = 64;
/** Somebody with so many items or less is new. */
const FEW = 2;
/** Share of a row's squared gradients that its next step leaves. */
const MEMORY = 0.95;
/** Added to popularity before `debias`, so that an item with few events is not the loudest. */
const DEBIAS_OFFSET = 3;

/**
 * The graph model: LightGCN (He et al. 2020) for users who are nothing but a pool of their items. Items nobody has are zeros, but for what
 * their creators and tags say.
 * @throws KindredError INVALID_ARGUMENT where no user has two items, or the training diverges
 */
export async function trainGraph(set: TrainingSet, given: Partial<GraphSettings>, options: TrainingOptions = {}): Promise<Trained> {
  const settings = graphSettings(given);
  const { starts, users } = set.histories;
  if (!users.some((_, user) => starts[user + 1]! - starts[user]! > 1))
    throw new KindredError("INVALID_ARGUMENT", "no user has two items: there is nothing to learn from", "histories");
  const trainer = coded(() => trainerOf(set, settings, options));
  // The spectrum and the last smoothing are epochs of their own.
  const run = { dims: settings.dims, epochs: settings.epochs + 2 };
  const { tables, ...trained } = await runSkipGram(trainer, run, users.length, options);
  return { ...trained, model: modelOf(set, settings, tables) };
}

function trainerOf({ histories, weights }: TrainingSet, settings: GraphSettings, options: TrainingOptions): InteractionGraphTrainer {
  const { dims, epochs, threads, seed, negatives, negativeWeight, leastKept, userExponent, rate } = settings;
  const { fewShare, inputSmoothing, inputSmoothingEach, smoothing, smoothingUser, smoothingItem } = settings;
  return createInteractionGraphTrainer({
    ...{ dims, epochs, threads, seed, negatives, negativeWeight, leastKept, userExponent, rate },
    ...{ fewShare, few: FEW, inputSmoothing, inputSmoothingEach, smoothing, smoothingUser, smoothingItem },
    ...{ mostKept: 1, passes: PASSES, positives: POSITIVES, memory: MEMORY, plain: options.plain === true },
    items: histories.items.length,
    starts: histories.starts,
    rows: histories.rows,
    weights,
  });
}

function modelOf(
  set: TrainingSet,
  { dims, debias, sideWeight }: GraphSettings,
  tables: { readonly input: Float32Array; readonly output: Float32Array },
): ItemModel {
  const { items } = set.histories;
  const popularity = popularityOf(set.histories);
  const [input, output] = [tables.input.slice(), tables.output.slice()];
  if (set.infos !== undefined && sideWeight > 0) mixSideInformation(items, set.infos, popularity, sideWeight, { dims, input, output });
  if (debias !== 0)
    for (const [row, count] of popularity.entries()) {
      const by = (count + DEBIAS_OFFSET) ** -debias;
      for (let at = row * dims; at < (row + 1) * dims; at++) output[at]! *= by;
    }
  return { kind: "graph", items, input: { dims, values: input }, output: { dims, values: output }, score: "dot" };
}
