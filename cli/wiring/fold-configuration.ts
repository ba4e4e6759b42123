import type { FoldSettings, GenerationRef } from "../../schemas/catalogue.js";
import type { Config } from "../../schemas/config.js";
import type { EventRules } from "../../schemas/event.js";
import { generationZero } from "../../state/catalogue-builder.js";
import { foldSettings } from "../../state/fold-settings.js";

/** The fold's settings as the configuration has them. @throws KindredError CONFIG_INVALID */
export function foldSettingsOf({ fold, fingerprint }: Config): FoldSettings {
  const { halfLifeDays, ...numbers } = fold;
  const weights = Object.fromEntries(Object.entries(fingerprint.keywords).filter(([, weight]) => weight !== undefined));
  return foldSettings({ ...numbers, halfLifeDays: halfLifeDays === 0 ? null : halfLifeDays, keywords: { weights, top: fingerprint.top } });
}

/** The generation that needs no training. */
export const untrainedGeneration = ({ generation0 }: Config): GenerationRef => generationZero(generation0.dims, generation0.seed);

/** What an event is accepted against, at a moment. */
export function eventRulesOf(config: Config): () => EventRules {
  const actions = new Set(Object.keys(config.fold.actions));
  return () => ({ actions, latestTs: Date.now() + config.events.maxFutureMs });
}
