import type { NativeMeasuredRecall } from "../../native/vector-index.js";

/** What ef is to hold, and how far it may go for it. */
export interface EfRule {
  /** ef stays within least..most; equal ones fix it. */
  readonly least: number;
  readonly most: number;
  /** recall@k that searches are to have, 0..1. */
  readonly target: number;
  /** Results of the searches that are measured: a walk is never narrower, whatever ef says. */
  readonly k: number;
}

export interface EfState {
  readonly ef: number;
  /** Measurements in a row that had recall to spare. */
  readonly calm: number;
}

/** One-sided 95 %: a mean is as low as this many standard errors below what was measured, once in twenty. */
const STANDARD_ERRORS = 1.64;
/** Up by the share that is missing too much, but at least and at most so many times: misses fall about as ef grows, or faster. */
const LEAST_STEP_UP = 1.25;
const MOST_STEP_UP = 2;
/** Up where recall may be below the target only by the measurement's error. */
const CAREFUL_STEP_UP = 1.1;
const STEP_DOWN = 0.9;
/** Misses fell as ef^-.7 to ef^-1.8 in all that was measured (FACTS of the live table and of our own walk): a step down makes at most so many times as many. */
const MORE_MISSES_DOWN = STEP_DOWN ** -2;
/** ef goes down where even then only this share of the misses that are allowed would be used. The rest is the hysteresis. */
const SHARE_OF_MISSES = 0.75;
const CALM_BEFORE_DOWN = 3;

/** The recall that searches have at least, but once in twenty. */
const surely = ({ recall, standardError }: NativeMeasuredRecall): number => recall - STANDARD_ERRORS * standardError;

const within = (ef: number, { least, most }: EfRule): number => Math.min(Math.max(Math.round(ef), least), most);

/**
 * The ef after a measurement at the ef of `before`: quickly up below the target, carefully up where it can't be told from the
 * target, slowly down where there is recall to spare even so. Between the two it stays: a measurement's error never moves it to
 * and fro. What was answered by scans misses nothing and says nothing about ef: with such answers among them it may go up, not down.
 */
export function nextEf(before: EfState, measured: NativeMeasuredRecall | undefined, rule: EfRule): EfState {
  const ef = within(before.ef, rule);
  if (measured === undefined || measured.queries === 0 || measured.walked === 0) return { ef, calm: before.calm };
  const allowed = 1 - rule.target;
  const misses = 1 - measured.recall;
  const width = Math.max(ef, rule.k);
  const raised = (times: number): EfState => ({ ef: Math.max(ef, within(Math.ceil(width * times), rule)), calm: 0 });
  if (measured.recall < rule.target) return raised(Math.min(Math.max(misses / allowed, LEAST_STEP_UP), MOST_STEP_UP));
  if (surely(measured) < rule.target) return raised(CAREFUL_STEP_UP);
  if (measured.walked < measured.queries) return { ef, calm: before.calm };
  if (misses * MORE_MISSES_DOWN + STANDARD_ERRORS * measured.standardError >= SHARE_OF_MISSES * allowed) return { ef, calm: 0 };
  if (before.calm + 1 < CALM_BEFORE_DOWN) return { ef, calm: before.calm + 1 };
  // Below k nothing would change for those searches.
  return { ef: Math.min(ef, Math.max(within(Math.floor(ef * STEP_DOWN), rule), Math.min(rule.k, rule.most))), calm: 0 };
}
