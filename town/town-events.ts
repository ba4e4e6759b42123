import type { BehaviourEvent } from "../schemas/event.js";
import type { EpochMs } from "../schemas/ids.js";
import { Behaviour } from "./behaviour.js";
import { Random } from "./random.js";
import type { Town } from "./town.js";

export interface TownEventsOptions {
  readonly seed: number;
  /** Time of the first event. */
  readonly startTs: EpochMs;
  /** Of event time; 0.001 and above. */
  readonly eventsPerSecond: number;
}

/** Ids of events are told apart by seed and start: two runs over one town never clash by accident. */
const runName = (kind: string, seed: number, startTs: EpochMs): string => `${kind}${seed.toString(36)}.${Math.floor(startTs).toString(36)}`;

/** What the town does from `startTs` on, without end; times rise, with plausible gaps. The same options give the same events. */
export function* townEvents(town: Town, { seed, startTs, eventsPerSecond }: TownEventsOptions): Generator<BehaviourEvent, never> {
  if (!(eventsPerSecond >= 0.001)) throw new RangeError(`eventsPerSecond must be at least 0.001: ${eventsPerSecond}`);
  const behaviour = new Behaviour(town, seed, runName("t", seed, startTs));
  const gaps = new Random(seed, 4);
  const meanGapMs = 1_000 / eventsPerSecond;
  for (let ts = startTs; ; ts += gaps.fraction() * 2 * meanGapMs) yield behaviour.act(behaviour.nextListener(), Math.floor(ts));
}

export interface TownHistoryOptions {
  readonly seed: number;
  /** Every event is before it. */
  readonly endTs: EpochMs;
  /** How much time the history covers. */
  readonly spanMs: number;
  readonly eventsEach: number;
}

/** The past of the town: exactly `eventsEach` events of each listener, times rising. */
export function* townHistory(town: Town, { seed, endTs, spanMs, eventsEach }: TownHistoryOptions): Generator<BehaviourEvent, void> {
  const behaviour = new Behaviour(town, seed, runName("h", seed, endTs));
  const random = new Random(seed, 5);
  const order = town.listeners.map((_, i) => i);
  const total = eventsEach * order.length;
  let made = 0;
  for (let round = 0; round < eventsEach; round++)
    for (const listener of random.shuffle(order)) yield behaviour.act(listener, Math.floor(endTs - spanMs + (spanMs * made++) / total));
}
