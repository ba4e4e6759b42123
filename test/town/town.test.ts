import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { parseItemInfo } from "../../schemas/item.js";
import { generateTown, type Town } from "../../town/town.js";

const hash = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
const shape = (town: Town): unknown => [
  town.items,
  town.friends,
  town.listeners.map(({ user, tastes, friends }) => [user, tastes, friends]),
];

describe("generateTown", () => {
  const town = generateTown({ seed: 7, listeners: 1000 });

  it("gives the same town for the same seed, on every machine", () => {
    expect(hash(shape(generateTown({ seed: 7, listeners: 1000 })))).toBe(hash(shape(town)));
    expect(hash(shape(generateTown({ seed: 8, listeners: 1000 })))).not.toBe(hash(shape(town)));
    expect(hash(shape(town))).toBe("2dbf79bf00333c1c");
  });

  it("offers songs, live streams and podcasts whose side information is valid, with titles, creators and tags", () => {
    expect(new Set(town.items.map((info) => info.scene))).toEqual(new Set(["music", "live", "podcast"]));
    expect(new Set(town.items.map((info) => info.item)).size).toBe(town.items.length);
    for (const info of town.items) {
      expect(parseItemInfo(info)).toEqual({ ok: true, value: info });
      expect(info.title && info.creators?.length && info.tags?.length).toBeTruthy();
    }
  });

  it("makes friends of people with shared tastes", () => {
    const byUser = new Map(town.listeners.map((listener) => [listener.user, listener]));
    const shared = (a: Town["listeners"][number], b: Town["listeners"][number]): boolean =>
      a.tastes.slice(0, 2).some((x) => b.tastes.slice(0, 2).some((y) => x.genre === y.genre));
    const ofFriends = town.friends.filter(([a, b]) => shared(byUser.get(a)!, byUser.get(b)!)).length / town.friends.length;
    const ofAnyone = town.listeners.filter((a, i) => shared(a, town.listeners[(i * 37 + 11) % 1000]!)).length / 1000;
    expect(ofFriends).toBeGreaterThan(0.8);
    expect(ofAnyone).toBeLessThan(0.35);
    for (const [a, b] of town.friends) {
      expect(a).not.toBe(b);
      expect(byUser.get(b)!.friends.map((i) => town.listeners[i]!.user)).toContain(a);
    }
  });

  it("works for the smallest town, and refuses what it cannot make", () => {
    expect(generateTown({ seed: 0, listeners: 2 }).listeners).toHaveLength(2);
    expect(() => generateTown({ seed: -1, listeners: 10 })).toThrow(/seed/);
    expect(() => generateTown({ seed: 1, listeners: 1.5 })).toThrow(/listeners/);
  });
});
