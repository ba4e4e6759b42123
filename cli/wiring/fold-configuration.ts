import { RandomIndexing } from "../../models/random-indexing.js";
import type { FoldSettings, GenerationRef, ItemVectors } from "../../schemas/catalogue.js";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { EventRules } from "../../schemas/event.js";
import { generationZero } from "../../state/catalogue-builder.js";
import { foldSettings } from "../../state/fold-settings.js";

/** The fold's settings as the configuration has them. @throws KindredError CONFIG_INVALID */
export function foldSettingsOf({ fold, fingerprint }: Config): FoldSettings {
  const { halfLifeDays, ...numbers } = fold;
  const weights = Object.fromEntries(Object.entries(fingerprint.keywords).filter(([, weight]) => weight !== undefined));
  return foldSettings({ ...numbers, halfLifeDays: halfLifeDays === 0 ? null : halfLifeDays, keywords: { weights, top: fingerprint.top } });
}

/** The generations that are live; only the one that needs no training so far. */
export function generationsOf({ generation0 }: Config): GenerationRef[] {
  return [generationZero(generation0.dims, generation0.seed)];
}

/** Item vectors of a generation. @throws KindredError CONFIG_INVALID for a kind that this version does not know */
export function itemVectorsOf(ref: GenerationRef, cachedItems?: number): ItemVectors {
  if (ref.kind !== "random-indexing")
    throw new KindredError("CONFIG_INVALID", `generation ${ref.generation} is of kind ${ref.kind}, which this version does not know`);
  return new RandomIndexing(ref.dims, ref.seed, cachedItems);
}

/** Vectors that partitions share: an item that one has met the others meet too, and each vector is made of a hash. */
const SHARED_VECTORS = 65_536;

/** As `itemVectorsOf`, one for all partitions of a process. */
export function sharedItemVectors(): (ref: GenerationRef) => ItemVectors {
  const made = new Map<string, ItemVectors>();
  return (ref) => {
    const name = JSON.stringify([ref.kind, ref.generation, ref.dims, ref.seed]);
    const known = made.get(name) ?? itemVectorsOf(ref, SHARED_VECTORS);
    made.set(name, known);
    return known;
  };
}

/** What an event is accepted against, at a moment. */
export function eventRulesOf(config: Config): () => EventRules {
  const actions = new Set(Object.keys(config.fold.actions));
  return () => ({ actions, latestTs: Date.now() + config.events.maxFutureMs });
}
