import { type FoldSettings, WEIGHT_ONE } from "../schemas/catalogue.js";

/**
 * Largest |weight| of a profile's entry, times WEIGHT_ONE: 131,072 single plays of one item. It bounds every sum a row
 * holds: 1,024 items x 2^27 x 2^15 (a vector's component) = 2^52 < 2^53.
 */
export const MAX_ENTRY_WEIGHT = 2 ** 27;

/** |weight| cut at MAX_ENTRY_WEIGHT. */
export const clampWeight = (weight: number): number =>
  weight > MAX_ENTRY_WEIGHT ? MAX_ENTRY_WEIGHT : weight < -MAX_ENTRY_WEIGHT ? -MAX_ENTRY_WEIGHT : weight;

const MANTISSA_ONE = 2 ** 25;
const FRACTION_BITS = 12;

/**
 * floor(1024 * log2(x)) for finite x >= 1, with an error of at most 1 in the last place and no transcendental function,
 * whose last bit may differ between machines: the exponent by exact halving, then one bit of the fraction a squaring
 * (Knuth, The Art of Computer Programming 1, 1.2.2 exercise 25; 12 bits are taken, 10 kept).
 */
export function log2Fixed(x: number): number {
  let exponent = 0;
  let rest = x;
  for (let step = 512; step >= 1; step /= 2) {
    if (rest >= 2 ** step) {
      rest /= 2 ** step;
      exponent += step;
    }
  }
  let mantissa = Math.floor(rest * MANTISSA_ONE);
  let fraction = 0;
  for (let bit = 0; bit < FRACTION_BITS; bit++) {
    mantissa = Math.floor((mantissa * mantissa) / MANTISSA_ONE);
    fraction *= 2;
    if (mantissa >= 2 * MANTISSA_ONE) {
      mantissa = Math.floor(mantissa / 2);
      fraction += 1;
    }
  }
  return exponent * WEIGHT_ONE + Math.floor(fraction / 2 ** (FRACTION_BITS - 10));
}

interface ActionRule {
  readonly weight: number;
  readonly unit: number;
  readonly maxScale: number;
}

/** What an event weighs, by the catalogue's settings: action weight x (1 + log2(1 + value / unit)), the scale capped; integers times WEIGHT_ONE. */
export class EventWeights {
  readonly #rules = new Map<string, ActionRule>();

  constructor(settings: Pick<FoldSettings, "actions" | "values">) {
    for (const [action, weight] of Object.entries(settings.actions)) {
      const value = Object.hasOwn(settings.values, action) ? settings.values[action] : undefined;
      this.#rules.set(action, { weight, unit: value?.unit ?? 0, maxScale: Math.floor((value?.maxScale ?? 1) * WEIGHT_ONE) });
    }
  }

  /** 0 for an action that the catalogue does not weigh (any more). |result| <= MAX_ENTRY_WEIGHT */
  of(action: string, value: number | undefined): number {
    const rule = this.#rules.get(action);
    if (rule === undefined) return 0;
    if (value === undefined || rule.unit === 0) return rule.weight;
    const ratio = 1 + value / rule.unit;
    const scale = ratio === Number.POSITIVE_INFINITY ? rule.maxScale : Math.min(rule.maxScale, WEIGHT_ONE + log2Fixed(ratio));
    return clampWeight(Math.trunc((rule.weight * scale) / WEIGHT_ONE) + 0);
  }
}
