import type { ItemMatrix } from "../../schemas/model.js";
import { LabelMeans } from "./label-means.js";
import type { LinearMap } from "./least-squares.js";

/** Labels kept of each kind: 50,000 of 128 dimensions are 51 MB. */
const MOST_LABELS = 50_000;

/** How estimates are put together where there are just these: by how much each counts, and how far the sum is drawn out. */
export interface Blend {
  readonly weights: Float64Array;
  readonly gain: number;
}

const KINDS = ["creators", "tags"] as const;
export type Labels = Readonly<Record<(typeof KINDS)[number], LabelMeans>>;

/** What vectors of new items are made of, as it lies in a model's folder: numbers in a matrix, and what they are. */
export interface ProvisionalParts {
  /**
   * Of twice the model's dimensions: outputs, then inputs. The mean of all items; for each of `listeners` the mean of listeners (in the first half) and a row
   * for each of its dimensions; the labels of creators, then of tags, each less the mean.
   */
  readonly vectors: ItemMatrix;
  readonly about: {
    /** Numbers of listeners that a map is there for. */
    readonly listeners: readonly number[];
    /** By "listeners kinds", e.g. "3 listeners+tags". */
    readonly blends: Readonly<Record<string, { readonly weights: readonly number[]; readonly gain: number }>>;
    readonly labels: Readonly<
      Record<(typeof KINDS)[number], { readonly items: number; readonly names: readonly string[]; readonly counts: readonly number[] }>
    >;
  };
}

export function partsOfProvisional(
  dims: number,
  mean: Float64Array,
  maps: ReadonlyMap<number, LinearMap>,
  labels: Labels,
  blends: ReadonlyMap<string, Blend>,
): ProvisionalParts {
  const rows: ArrayLike<number>[] = [mean];
  for (const map of maps.values()) {
    rows.push(map.mean);
    for (let d = 0; d < dims; d++) rows.push(Float64Array.from({ length: 2 * dims }, (_, e) => map.weights[e * dims + d]!));
  }
  const kept = (kind: (typeof KINDS)[number]): ProvisionalParts["about"]["labels"]["tags"] => {
    const strongest = labels[kind].strongest(MOST_LABELS);
    for (const label of strongest) rows.push(label.mean);
    return { items: labels[kind].items, names: strongest.map(({ name }) => name), counts: strongest.map(({ count }) => count) };
  };
  const keptLabels = { creators: kept("creators"), tags: kept("tags") };
  const values = new Float32Array(rows.length * 2 * dims);
  for (const [i, row] of rows.entries()) values.set(row, i * 2 * dims);
  return {
    vectors: { dims: 2 * dims, values },
    about: {
      listeners: [...maps.keys()],
      blends: Object.fromEntries([...blends].map(([name, { weights, gain }]) => [name, { weights: [...weights], gain }])),
      labels: keptLabels,
    },
  };
}

/** @throws Error saying what does not fit */
export function provisionalOfParts(dims: number, { vectors, about }: ProvisionalParts) {
  const wrong = wrongParts(dims, vectors, about);
  if (wrong !== undefined) throw new Error(wrong);
  let at = 0;
  const next = (): Float32Array => vectors.values.subarray(at++ * 2 * dims, at * 2 * dims);
  const mean = Float64Array.from(next());
  const maps = new Map<number, LinearMap>();
  for (const count of about.listeners) {
    const of = Float64Array.from(next().subarray(0, dims));
    const weights = new Float64Array(2 * dims * dims);
    for (let d = 0; d < dims; d++) for (const [e, weight] of next().entries()) weights[e * dims + d] = weight;
    maps.set(count, { mean: of, weights });
  }
  const labelsOf = (kind: (typeof KINDS)[number]): LabelMeans => {
    const { items, names, counts } = about.labels[kind];
    const means = new LabelMeans(2 * dims, items);
    for (const [i, name] of names.entries()) means.set(name, counts[i]!, next());
    return means;
  };
  const labels = { creators: labelsOf("creators"), tags: labelsOf("tags") };
  const blends = new Map(
    Object.entries(about.blends).map(([name, { weights, gain }]) => [name, { weights: Float64Array.from(weights), gain }]),
  );
  return { mean, maps, labels, blends };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function wrongParts(
  dims: number,
  { dims: width, values }: ItemMatrix,
  about: Partial<ProvisionalParts["about"]> | null,
): string | undefined {
  const { listeners, blends, labels } = about ?? {};
  if (!Array.isArray(listeners) || !listeners.every(isCount)) return "it does not say for how many listeners";
  if (typeof blends !== "object" || blends === null) return "it does not say how estimates are put together";
  for (const [name, blend] of Object.entries(blends)) {
    const parts = name.split(" ")[1]?.split("+").length;
    if (!Array.isArray(blend?.weights) || blend.weights.length !== parts || ![...blend.weights, blend.gain].every(Number.isFinite))
      return `what is put together for ${JSON.stringify(name)} is not what it says`;
  }
  let rows = 1 + listeners.length * (1 + dims);
  for (const kind of KINDS) {
    const of = labels?.[kind];
    if (!of || !isCount(of.items) || !Array.isArray(of.names) || !Array.isArray(of.counts) || of.names.length !== of.counts.length)
      return `the labels of ${kind} are not told`;
    if (!of.names.every((name) => typeof name === "string") || !of.counts.every((count) => isCount(count) && count > 0))
      return `a label of ${kind} is none`;
    rows += of.names.length;
  }
  if (width !== 2 * dims || values.length !== rows * width)
    return `${values.length} numbers of ${width} a row, not ${rows} rows of ${2 * dims}`;
  return values.every(Number.isFinite) ? undefined : "its numbers are not all finite";
}
