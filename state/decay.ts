/** Fixed-point one of the decay table. |weight| <= 2^27 times this stays under 2^53. */
export const DECAY_ONE = 2 ** 22;
/** Longest table; a decay slower than 1 in 2^22 over so many steps stops there. */
const MAX_STEPS = 65_536;

/**
 * Event-time decay on a grid of landmarks, in integers (forward decay: Cormode, Shkapenyuk, Srivastava, Xu, "Forward
 * decay: a practical time decay model for streaming systems", ICDE 2009, exponential decay on landmarks). A weight is
 * kept as of its own event's landmark; what it counts at a later one is read from a table, so that the order in which
 * landmarks were passed leaves no trace.
 */
export class Decay {
  /** table[k] = floor(factor^k * 2^22): exact integers by repeated 64-bit multiplication. The last value holds for all later steps. */
  readonly table: Float64Array;

  /**
   * @param gridMs distance of landmarks, milliseconds
   * @param stepFactor factor per step times 2^32, 0..2^32
   */
  constructor(
    readonly gridMs: number,
    stepFactor: number,
  ) {
    const table = [DECAY_ONE];
    const factor = BigInt(stepFactor);
    if (factor < 1n << 32n) {
      let power = 1n << 64n;
      while (table.length < MAX_STEPS && table.at(-1) !== 0) {
        power = (power * factor) >> 32n;
        table.push(Number(power >> 42n));
      }
    }
    this.table = Float64Array.from(table);
  }

  /** The landmark of an event time. */
  landmark(ts: number): number {
    return Math.floor(ts / this.gridMs);
  }

  /** What a weight (|weight| <= 2^27) counts `steps` landmarks later, cut towards zero. */
  weightAfter(weight: number, steps: number): number {
    if (steps <= 0) return weight;
    const table = this.table;
    const factor = table[steps < table.length ? steps : table.length - 1] as number;
    return ((weight * factor) / DECAY_ONE) | 0;
  }
}
