import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { type Catalogue, type CatalogueItem, type FoldSettings, type GenerationRef, UNTRAINED_KIND } from "../schemas/catalogue.js";
import { KindredError } from "../schemas/errors.js";
import type { CatalogueNumber, Generation, ItemId } from "../schemas/ids.js";
import { type ItemInfo, MAX_ITEM_LABELS } from "../schemas/item.js";
import { MAX_DIMS, MAX_GENERATIONS } from "../schemas/row.js";
import { checkFoldSettings } from "./fold-settings.js";

/** 2: tags have weights. */
const FORMAT = 2;

/** What a catalogue is made of, but for its number. */
export interface CatalogueParts {
  readonly settings: FoldSettings;
  /** Side information; of items without tags and creators nothing is kept. The last of several about one item holds. */
  readonly items: Iterable<ItemInfo>;
  /** At most three live ones, none twice. */
  readonly generations: readonly GenerationRef[];
}

/** Generation 0: item vectors by random indexing, which need no training. */
export const generationZero = (dims = 128, seed = 1): GenerationRef => ({
  generation: 0 as Generation,
  dims,
  kind: UNTRAINED_KIND,
  seed,
});

/** The catalogue of these parts. @throws KindredError CONFIG_INVALID */
export function buildCatalogue(number: CatalogueNumber, { settings, items, generations }: CatalogueParts): Catalogue {
  if (!Number.isInteger(number) || number < 1 || number > 0xffffffff)
    throw new KindredError("CONFIG_INVALID", `a catalogue's number is an integer from 1, not ${number}`);
  if (generations.length > MAX_GENERATIONS || new Set(generations.map((g) => g.generation)).size !== generations.length)
    throw new KindredError("CONFIG_INVALID", `a catalogue has at most ${MAX_GENERATIONS} generations, none twice`);
  for (const { generation, dims } of generations)
    if (!Number.isInteger(dims) || dims < 8 || dims > MAX_DIMS)
      throw new KindredError("CONFIG_INVALID", `generation ${generation} has ${dims} dimensions; allowed is 8 to ${MAX_DIMS}`);
  const known = new Map<ItemId, CatalogueItem>();
  for (const { item, tags, tagWeights, creators } of items) {
    const labels = {
      ...(tags !== undefined && tags.length > 0 && sortedTags(tags, tagWeights)),
      ...(creators !== undefined && creators.length > 0 && { creators: distinct(creators) }),
    };
    if (Object.keys(labels).length > 0) known.set(item, labels);
    else known.delete(item);
  }
  return { number, settings: checkFoldSettings(settings), items: known, generations: [...generations] };
}

/** The next catalogue after `current`; `current` itself when nothing but its number would differ. */
export function nextCatalogue(current: Catalogue | undefined, parts: CatalogueParts): Catalogue {
  const next = buildCatalogue(((current?.number ?? 0) + 1) as CatalogueNumber, parts);
  return current !== undefined && sameContent(current, next) ? current : next;
}

/** Whether two catalogues fold alike: everything but their numbers is equal. */
export const sameContent = (a: Catalogue, b: Catalogue): boolean => canonicalText(a) === canonicalText(b);

/** The stored form of a catalogue: gzipped JSON. */
export async function encodeCatalogue(catalogue: Catalogue): Promise<Uint8Array> {
  return promisify(gzip)(
    Buffer.from(JSON.stringify({ format: FORMAT, number: catalogue.number, content: JSON.parse(canonicalText(catalogue)) as unknown })),
  );
}

/** @throws KindredError DIRECTORY_NEWER, STATE_CORRUPT */
export async function decodeCatalogue(bytes: Uint8Array): Promise<Catalogue> {
  try {
    const stored = JSON.parse((await promisify(gunzip)(bytes)).toString("utf8")) as StoredCatalogue;
    if (stored.format > FORMAT)
      throw new KindredError(
        "DIRECTORY_NEWER",
        `a stored catalogue has format ${stored.format}, this version of kindred reads up to ${FORMAT}`,
      );
    const { settings, items, generations } = stored.content;
    return { number: stored.number, settings: checkFoldSettings(settings), items: new Map(items), generations };
  } catch (error) {
    if (error instanceof KindredError && error.code === "DIRECTORY_NEWER") throw error;
    throw new KindredError("STATE_CORRUPT", "a stored catalogue is damaged", undefined, { cause: error });
  }
}

interface StoredCatalogue {
  readonly format: number;
  readonly number: CatalogueNumber;
  readonly content: { readonly settings: FoldSettings; readonly items: [ItemId, CatalogueItem][]; readonly generations: GenerationRef[] };
}

function sortedTags(tags: readonly string[], weights: readonly number[] | undefined): CatalogueItem {
  if (weights === undefined) return { tags: distinct(tags) };
  const of = new Map(tags.map((tag, i) => [tag, weights[i] as number]));
  const sorted = distinct(tags);
  return { tags: sorted, tagWeights: sorted.map((tag) => of.get(tag) as number) };
}

const distinct = (labels: readonly string[]): string[] => [...new Set(labels)].sort().slice(0, MAX_ITEM_LABELS);

/** Equal for equal content: keys and items in order. */
function canonicalText({ settings, items, generations }: Catalogue): string {
  const byId = [...items].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return JSON.stringify({ settings, items: byId, generations }, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
