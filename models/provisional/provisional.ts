import type { ItemId } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { Histories, ItemModel, NewItem, ProvisionalVectors } from "../../schemas/model.js";
import { SeededRandom } from "../seeded-random.js";
import { addDirection, type KnownItem, knownItems, knownUsers, meanListener, targetAt, targetsOf } from "./known-items.js";
import { LabelMeans } from "./label-means.js";
import { applyLinear, fitBlend, fitLinear, type LinearMap } from "./least-squares.js";
import { type Blend, type ProvisionalParts, partsOfProvisional, provisionalOfParts } from "./provisional-parts.js";
import { gainFor, PLACES, type Reader, readersOf } from "./shown-share.js";

export interface ProvisionalOptions {
  /** Side information of the model's items. */
  readonly infos?: ReadonlyMap<ItemId, ItemInfo>;
  /** How often a new item is to be in lists, against the average item: 3. More finds more of those who like it, and bothers more who don't. */
  readonly exposure?: number;
  readonly seed?: number;
}

/** Listeners that a map is learned for; more are taken as the last. */
const LISTENERS = [1, 3, 10] as const;
const RIDGE = 0.01;
/** Known items with the same evidence, below which nothing is learned from them. */
const FEWEST = 20;

/** What there is to go by: an estimate of the vectors of each, less the mean. */
interface Evidence {
  readonly listeners: Float64Array | undefined;
  readonly creators: Float64Array | undefined;
  readonly tags: Float64Array | undefined;
}

/**
 * Vectors of new items, until the next generation has trained ones: from their creators' items, their tags' items, and their first
 * listeners. It is learned from the model's own items, each as if it were new: by ridge regression what an item's vectors are where so many
 * listeners are known (each without the item itself), by least squares what that and the means of labels are worth together.
 * Pure: the same model, histories and seed give the same vectors. Fitting is seconds, an item some microseconds.
 */
export class Provisional {
  private constructor(
    private readonly dims: number,
    private readonly mean: Float64Array,
    private readonly maps: ReadonlyMap<number, LinearMap>,
    private readonly labels: { readonly creators: LabelMeans; readonly tags: LabelMeans },
    private readonly blends: ReadonlyMap<string, Blend>,
  ) {}

  /** @param histories of users of the model, or of a sample of them */
  static fit(model: ItemModel, histories: Histories, { infos = new Map(), exposure = 3, seed = 1 }: ProvisionalOptions = {}): Provisional {
    const { dims } = model.input;
    const { rows, mean } = targetsOf(model);
    const labels = { creators: new LabelMeans(2 * dims), tags: new LabelMeans(2 * dims) };
    for (const row of rows) {
      const info = infos.get(model.items[row]!);
      if (info === undefined) continue;
      const target = targetAt(model, row, mean);
      labels.creators.add(info.creators ?? [], target);
      labels.tags.add(info.tags ?? [], target);
    }
    const users = knownUsers(model, histories);
    const known = knownItems(model, rows, mean, infos, seed);
    const readers = readersOf(model, users, seed);
    const share = (exposure * PLACES) / Math.max(PLACES, rows.length);
    const [maps, blends] = [new Map<number, LinearMap>(), new Map<string, Blend>()];
    for (const count of [0, ...LISTENERS]) {
      const random = new SeededRandom(seed + count);
      const means = known.map(({ row }) => (count === 0 ? undefined : meanListener(users, model, row, count, random)));
      const heard = [...known.keys()].filter((i) => means[i] !== undefined);
      if (count > 0 && heard.length < FEWEST) continue;
      const map =
        count === 0
          ? undefined
          : fitLinear(
              pick(heard, means),
              heard.map((i) => known[i]!.target),
              dims,
              RIDGE,
            );
      if (map !== undefined) maps.set(count, map);
      const evidence = known.map(({ info, target }, i): Evidence => {
        const listeners = map && means[i] && applyLinear(map, means[i]);
        return { listeners, creators: labels.creators.of(info?.creators ?? [], target), tags: labels.tags.of(info?.tags ?? [], target) };
      });
      for (const [name, blend] of blendsOf(known, evidence, { mean: mean.subarray(0, dims), readers, share, seed }))
        blends.set(`${count} ${name}`, blend);
    }
    return new Provisional(dims, mean, maps, labels, blends);
  }

  /** Whether it has something to say of any item. */
  get knows(): boolean {
    return this.blends.size > 0;
  }

  /** All of it, to be kept with the model. Of labels those of most items. */
  parts(): ProvisionalParts {
    return partsOfProvisional(this.dims, this.mean, this.maps, this.labels, this.blends);
  }

  /** @throws Error saying what does not fit */
  static of(dims: number, parts: ProvisionalParts): Provisional {
    const { mean, maps, labels, blends } = provisionalOfParts(dims, parts);
    return new Provisional(dims, mean, maps, labels, blends);
  }

  /** undefined where nothing is known that tells this item from any other. */
  vectorsOf({ creators = [], tags = [], listeners = [] }: NewItem): ProvisionalVectors | undefined {
    const count = LISTENERS.filter((of) => of <= listeners.length && this.maps.has(of)).at(-1) ?? 0;
    const map = this.maps.get(count);
    const evidence: Evidence = {
      listeners: map && applyLinear(map, meanOf(listeners, this.dims)),
      creators: this.labels.creators.of(creators),
      tags: this.labels.tags.of(tags),
    };
    // Where just this was never learned, with less of it.
    for (const some of [evidence, { ...evidence, tags: undefined }, { ...evidence, creators: undefined }, onlyListeners(evidence)]) {
      const blend = this.blends.get(`${count} ${nameOf(some)}`);
      if (blend !== undefined) return this.#vectors(some, blend);
    }
    return undefined;
  }

  #vectors(evidence: Evidence, { weights, gain }: Blend): ProvisionalVectors {
    const deviation = blended(partsOf(evidence), weights);
    const both = Float32Array.from(this.mean, (mean, d) => mean + deviation[d]! * (d < this.dims ? gain : 1));
    return { output: both.slice(0, this.dims), input: both.slice(this.dims) };
  }
}

const partsOf = ({ listeners, creators, tags }: Evidence): Float64Array[] =>
  [listeners, creators, tags].filter((part) => part !== undefined);
const onlyListeners = ({ listeners }: Evidence): Evidence => ({ listeners, creators: undefined, tags: undefined });
const nameOf = (evidence: Evidence): string =>
  (["listeners", "creators", "tags"] as const).filter((part) => evidence[part] !== undefined).join("+");

/** For each of the seven ways to have some of the evidence, how it is put together: of all items that have that much. */
function blendsOf(
  known: readonly KnownItem[],
  evidence: readonly Evidence[],
  {
    mean,
    readers,
    share,
    seed,
  }: { readonly mean: Float64Array; readonly readers: readonly Reader[]; readonly share: number; readonly seed: number },
): Map<string, Blend> {
  const blends = new Map<string, Blend>();
  for (let bits = 1; bits < 8; bits++) {
    const some = evidence.map(
      (all): Evidence => ({
        listeners: bits & 1 ? all.listeners : undefined,
        creators: bits & 2 ? all.creators : undefined,
        tags: bits & 4 ? all.tags : undefined,
      }),
    );
    const wanted = (bits & 1) + ((bits >> 1) & 1) + (bits >> 2);
    const having = [...known.keys()].filter((i) => partsOf(some[i]!).length === wanted);
    if (having.length < FEWEST) continue;
    const parts = having.map((i) => partsOf(some[i]!));
    const weights = fitBlend(
      parts,
      having.map((i) => known[i]!.target),
    );
    const deviations = parts.map((of) => blended(of, weights).subarray(0, mean.length));
    blends.set(nameOf(some[having[0]!]!), { weights, gain: gainFor(readers, mean, deviations, share, seed) });
  }
  return blends;
}

function blended(parts: readonly Float64Array[], weights: Float64Array): Float64Array {
  const sum = new Float64Array(parts[0]!.length);
  for (const [p, part] of parts.entries()) for (let d = 0; d < sum.length; d++) sum[d]! += weights[p]! * part[d]!;
  return sum;
}

function meanOf(vectors: readonly Float32Array[], dims: number): Float64Array {
  const mean = new Float64Array(dims);
  for (const vector of vectors) addDirection(mean, vector, 1 / vectors.length);
  return mean;
}

const pick = <T>(places: readonly number[], from: readonly (T | undefined)[]): T[] => places.map((place) => from[place] as T);
