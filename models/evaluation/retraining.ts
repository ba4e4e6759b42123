import { KindredError } from "../../schemas/errors.js";
import type { EpochMs } from "../../schemas/ids.js";
import type { Histories, ItemModel, TrainingSet } from "../../schemas/model.js";
import { newestOf, selectInteractions } from "../training-set/training-set.js";
import { evaluateModels } from "./evaluate-models.js";
import { POPULARITY } from "./measure-model.js";

/** A set parted by time: what a new model is trained on, and what it is then asked for. */
export interface NewestParted {
  readonly known: TrainingSet;
  /** Of users who have something in `known`, or not. */
  readonly asked: Histories;
  /** Everything from here on is asked for. */
  readonly from: EpochMs;
}

export interface PartingOptions {
  /** Share of the interactions that is asked for where no model is there whose training ended earlier. */
  readonly share: number;
  /** Nothing that the model now served was trained on is asked for: it knows that already. */
  readonly after?: EpochMs;
}

/**
 * The newest `share` of a set's interactions, or what came after `after` where that is less, is asked for; all before it is trained on.
 * Interactions of one time are on one side.
 * @throws KindredError INVALID_ARGUMENT: times are not known, nothing came after `after`, or nothing is before
 */
export function partNewest(set: TrainingSet, { share, after }: PartingOptions): NewestParted {
  const { times } = set;
  const newest = newestOf(set);
  if (times === undefined || newest === undefined)
    throw new KindredError("INVALID_ARGUMENT", "when things were done is not known: the newest cannot be told from the others", "times");
  const sorted = times.slice().sort();
  const byShare = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * (1 - share)))]!;
  const from = after === undefined ? byShare : Math.max(byShare, after + 1);
  if (from > newest) throw new KindredError("INVALID_ARGUMENT", "nothing came after what the model now served was trained on", "times");
  const known = selectInteractions(set, (place) => times[place]! < from);
  if (known.histories.rows.length === 0) throw new KindredError("INVALID_ARGUMENT", "all interactions are of one time", "times");
  return { known, asked: selectInteractions(set, (place) => times[place]! >= from).histories, from };
}

/** Share of the interactions from `from` on with an item that the model does not know. */
export function drift({ histories, times }: TrainingSet, { items }: Pick<ItemModel, "items">, from: EpochMs): number {
  const known = new Set<string>(items);
  const isNew = histories.items.map((item) => !known.has(item));
  let [all, unknown] = [0, 0];
  for (const [place, row] of histories.rows.entries()) {
    if (times !== undefined && times[place]! < from) continue;
    all++;
    if (isNew[row]) unknown++;
  }
  return all === 0 ? 0 : unknown / all;
}

/** What a gate compared, and whether the candidate may be published. */
export interface Gate {
  readonly passed: boolean;
  readonly metric: string;
  readonly candidate: number;
  /** The model now served; popularity where that is none that was trained. */
  readonly against: string;
  readonly base: number;
  readonly users: number;
}

export interface GateOptions {
  /** How much less the candidate may have, of the base's figure: 0..1. */
  readonly tolerance: number;
  /** Users who are asked, drawn by the seed. */
  readonly users: number;
  /** Fewer users who can be asked tell nothing. */
  readonly leastUsers: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
}

const METRIC = "recall@20";

/**
 * Does the candidate find the newest as well as what is served now? Users are pooled from what they had before; the served model does
 * not know what came after its own training either.
 * @throws KindredError INVALID_ARGUMENT: too few users can be asked
 */
export async function gate(
  candidate: ItemModel,
  served: ItemModel | undefined,
  { known, asked }: NewestParted,
  { tolerance, leastUsers, ...draws }: GateOptions,
): Promise<Gate> {
  const models = [{ name: "candidate", model: candidate }, ...(served ? [{ name: "served", model: served }] : [])];
  const report = await evaluateModels(models, known.histories, asked, { ...draws, ks: [20], neighbourUsers: 0, rounds: 0 });
  const { testedUsers } = report.split;
  if (testedUsers < leastUsers)
    throw new KindredError("INVALID_ARGUMENT", `${testedUsers} users did something new; ${leastUsers} are needed to judge by`, "users");
  const against = served ? "served" : POPULARITY;
  const figure = (name: string): number => report.models.find((model) => model.name === name)?.u2i[METRIC] ?? 0;
  const [own, base] = [figure("candidate"), figure(against)];
  return { passed: own >= base * (1 - tolerance), metric: METRIC, candidate: own, against, base, users: testedUsers };
}
