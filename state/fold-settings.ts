import { type FoldSettings, type KeywordKind, WEIGHT_ONE } from "../schemas/catalogue.js";
import { KindredError } from "../schemas/errors.js";
import { MAX_PROFILE_ITEMS, MAX_RING } from "../schemas/row.js";

const DAY_MS = 86_400_000;
const FACTOR_ONE = 2 ** 32;
const MAX_WEIGHT = 64 * WEIGHT_ONE;
/** Largest cap of an event's value scale. */
const MAX_VALUE_SCALE = 64;
const MIN_GRID_MS = 60_000;

/** Fold settings in the numbers that people write: weights as 1.0, times in days. */
export interface FoldNumbers {
  /** Weight of each action; negative takes away. |weight| <= 64 */
  readonly actions: Readonly<Record<string, number>>;
  /** How an event's value scales its weight: x (1 + log2(1 + value / unit)), at most maxScale (1..64). By action. */
  readonly values: Readonly<Record<string, { readonly unit: number; readonly maxScale: number }>>;
  /** Days after which an event counts half; null = no decay. */
  readonly halfLifeDays: number | null;
  /** Days between landmarks: how coarse decay is. */
  readonly gridDays: number;
  readonly profileItems: number;
  readonly idempotencyRing: number;
  readonly keywords: {
    /** Weight by kind, 0..64; empty = a user's tags, else their creators, else their items. */
    readonly weights: Readonly<Partial<Record<KeywordKind, number>>>;
    /** A user's strongest keywords that count; 0 = all. */
    readonly top: Readonly<Record<KeywordKind, number>>;
  };
}

/**
 * Tags and creators count by a user's five strongest: with more, real users hardly ever lie within Hamming 3. Plays are
 * scaled by the log of seconds (or of play counts), gifts by that of their amount.
 */
export const DEFAULT_FOLD_NUMBERS: FoldNumbers = {
  actions: { click: 1, play: 1, finish: 2, like: 3, collect: 3, share: 3, comment: 2, follow: 3, gift: 4, skip: -1, dislike: -3 },
  values: { play: { unit: 30, maxScale: 16 }, gift: { unit: 1, maxScale: 16 } },
  halfLifeDays: 90,
  gridDays: 7,
  profileItems: 128,
  idempotencyRing: 32,
  keywords: { weights: {}, top: { tags: 5, creators: 5, items: 0 } },
};

const scaled = (numbers: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(numbers).map(([name, weight]) => [name, Math.round(weight * WEIGHT_ONE)]));

/** The settings of a catalogue, in integers. What is not given is the default. @throws KindredError CONFIG_INVALID */
export function foldSettings(numbers: Partial<FoldNumbers> = {}): FoldSettings {
  const all = { ...DEFAULT_FOLD_NUMBERS, ...numbers };
  // A value rule of an action that has no weight here would be noise.
  const values = Object.fromEntries(Object.entries(all.values).filter(([action]) => Object.hasOwn(all.actions, action)));
  return checkFoldSettings({
    actions: scaled(all.actions),
    values,
    decay: {
      gridMs: Math.round(all.gridDays * DAY_MS),
      stepFactor: all.halfLifeDays === null ? FACTOR_ONE : Math.round(FACTOR_ONE * 2 ** (-all.gridDays / all.halfLifeDays)),
    },
    profileItems: all.profileItems,
    idempotencyRing: all.idempotencyRing,
    keywords: { weights: scaled(all.keywords.weights as Record<string, number>), top: all.keywords.top },
  });
}

/** The settings if every number is an integer in its documented range. @throws KindredError CONFIG_INVALID naming the key, the value and what is allowed */
export function checkFoldSettings(settings: FoldSettings): FoldSettings {
  const integer = (key: string, value: number, low: number, high: number): void => {
    if (!Number.isInteger(value) || value < low || value > high)
      throw new KindredError("CONFIG_INVALID", `${key} is ${value}; allowed is an integer from ${low} to ${high}`, `fold.${key}`);
  };
  for (const [action, weight] of Object.entries(settings.actions)) integer(`actions.${action}`, weight, -MAX_WEIGHT, MAX_WEIGHT);
  for (const [action, { unit, maxScale }] of Object.entries(settings.values)) {
    if (!(unit > 0 && Number.isFinite(unit)))
      throw new KindredError(
        "CONFIG_INVALID",
        `values.${action}.unit is ${unit}; allowed is a number above 0`,
        `fold.values.${action}.unit`,
      );
    if (!(maxScale >= 1 && maxScale <= MAX_VALUE_SCALE))
      throw new KindredError(
        "CONFIG_INVALID",
        `values.${action}.maxScale is ${maxScale}; allowed is 1 to ${MAX_VALUE_SCALE}`,
        `fold.values.${action}.maxScale`,
      );
  }
  integer("decay.gridMs", settings.decay.gridMs, MIN_GRID_MS, Number.MAX_SAFE_INTEGER);
  integer("decay.stepFactor", settings.decay.stepFactor, 0, FACTOR_ONE);
  integer("profileItems", settings.profileItems, 8, MAX_PROFILE_ITEMS);
  integer("idempotencyRing", settings.idempotencyRing, 0, MAX_RING);
  for (const [kind, weight] of Object.entries(settings.keywords.weights))
    integer(`keywords.weights.${kind}`, weight as number, 0, MAX_WEIGHT);
  for (const kind of ["tags", "creators", "items"] as const)
    integer(`keywords.top.${kind}`, settings.keywords.top[kind], 0, MAX_PROFILE_ITEMS);
  return settings;
}
