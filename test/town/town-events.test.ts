import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { DEFAULT_ACTIONS } from "../../schemas/config.js";
import { type BehaviourEvent, parseEvent } from "../../schemas/event.js";
import { generateTown } from "../../town/town.js";
import { townEvents, townHistory } from "../../town/town-events.js";

const START = Date.UTC(2026, 0, 1);
const town = generateTown({ seed: 7, listeners: 300 });
const options = { seed: 3, startTs: START, eventsPerSecond: 50 };

function take(events: Iterable<BehaviourEvent>, count: number): BehaviourEvent[] {
  const taken: BehaviourEvent[] = [];
  for (const event of events) if (taken.push(event) === count) break;
  return taken;
}
const hash = (events: readonly BehaviourEvent[]): string => createHash("sha256").update(JSON.stringify(events)).digest("hex").slice(0, 16);

describe("townEvents", () => {
  const events = take(townEvents(town, options), 20_000);

  it("gives the same events for the same seed, on every machine", () => {
    expect(hash(take(townEvents(town, options), 20_000))).toBe(hash(events));
    expect(hash(take(townEvents(town, { ...options, seed: 4 }), 20_000))).not.toBe(hash(events));
    expect(hash(events)).toBe("04b76f62773eb404");
  });

  it("makes events that are accepted, each with an id of its own", () => {
    const rules = { actions: new Set(Object.keys(DEFAULT_ACTIONS)), latestTs: START + 3_600_000 };
    for (const event of events) expect(parseEvent(event, rules)).toEqual({ ok: true, value: event });
    expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
    expect(new Set(events.map((event) => event.action))).toEqual(new Set(Object.keys(DEFAULT_ACTIONS)));
  });

  it("lets time rise at the rate asked for", () => {
    for (const [i, event] of events.entries()) expect(event.ts).toBeGreaterThanOrEqual(events[i - 1]?.ts ?? START);
    const seconds = ((events.at(-1)?.ts ?? 0) - START) / 1000;
    expect(events.length / seconds).toBeGreaterThan(48);
    expect(events.length / seconds).toBeLessThan(52);
  });

  it("has a long tail: a few items are everyone's, most are a few people's", () => {
    const counts = new Map<string, number>();
    for (const event of events) counts.set(event.item, (counts.get(event.item) ?? 0) + 1);
    const ranked = [...counts.values()].sort((a, b) => b - a);
    const headShare = ranked.slice(0, Math.ceil(ranked.length / 10)).reduce((a, b) => a + b, 0) / events.length;
    expect(headShare).toBeGreaterThan(0.3);
    expect(ranked.filter((count) => count <= events.length / ranked.length / 2).length).toBeGreaterThan(ranked.length / 3);
  });

  it("lets friends do more in common than strangers do", () => {
    const items = new Map<string, Set<string>>();
    for (const event of events) items.set(event.user, (items.get(event.user) ?? new Set()).add(event.item));
    const jaccard = (a: string, b: string): number => {
      const [x, y] = [items.get(a) ?? new Set(), items.get(b) ?? new Set()];
      const common = [...x].filter((item) => y.has(item)).length;
      return common / (x.size + y.size - common || 1);
    };
    const mean = (pairs: readonly (readonly [string, string])[]): number =>
      pairs.reduce((sum, [a, b]) => sum + jaccard(a, b), 0) / pairs.length;
    const strangers = town.listeners.map((listener, i) => [listener.user, town.listeners[(i * 7 + 3) % 300]!.user] as const);
    expect(mean(town.friends)).toBeGreaterThan(1.5 * mean(strangers));
  });

  it("drifts: late events hold genres that early ones did not", () => {
    const tagOf = new Map(town.items.map((info) => [info.item as string, info.tags?.[0] as string]));
    const busiest = [...town.listeners].sort((a, b) => b.activity - a.activity)[0]!.user;
    const long = take(townEvents(town, { ...options, seed: 5 }), 200_000).filter(
      (event) => event.user === busiest && event.action === "finish",
    );
    const share = (part: readonly BehaviourEvent[]): Map<string, number> => {
      const tags = new Map<string, number>();
      for (const event of part) tags.set(tagOf.get(event.item)!, (tags.get(tagOf.get(event.item)!) ?? 0) + 1 / part.length);
      return tags;
    };
    const [early, late] = [share(long.slice(0, long.length / 4)), share(long.slice((-1 * long.length) / 4))];
    const moved =
      [...new Set([...early.keys(), ...late.keys()])].reduce(
        (sum, tag) => sum + Math.abs((early.get(tag) ?? 0) - (late.get(tag) ?? 0)),
        0,
      ) / 2;
    expect(moved).toBeGreaterThan(0.15);
  });

  it("refuses a rate that is none", () => {
    expect(() => townEvents(town, { ...options, eventsPerSecond: 0 }).next()).toThrow(/eventsPerSecond/);
  });
});

describe("townHistory", () => {
  it("gives everyone the same number of events, all in the past, with other ids than the live ones", () => {
    const past = [...townHistory(town, { seed: 3, endTs: START, spanMs: 86_400_000, eventsEach: 5 })];
    const counts = new Map<string, number>();
    for (const event of past) counts.set(event.user, (counts.get(event.user) ?? 0) + 1);
    expect(new Set(counts.values())).toEqual(new Set([5]));
    expect(counts.size).toBe(300);
    for (const [i, event] of past.entries()) {
      expect(event.ts).toBeLessThan(START);
      expect(event.ts).toBeGreaterThanOrEqual(past[i - 1]?.ts ?? START - 86_400_000);
    }
    const ids = new Set(past.map((event) => event.id));
    expect(take(townEvents(town, options), 2_000).some((event) => ids.has(event.id))).toBe(false);
  });
});
