import { describe, expect, it } from "vitest";
import { TrainingSetBuilder } from "../../../models/training-set/training-set-builder.js";
import { HeterogeneousGraph } from "../../../models/walks/heterogeneous-graph.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemInfo } from "../../../schemas/item.js";
import type { TrainingSet } from "../../../schemas/model.js";

function smallTown(): TrainingSet {
  const builder = new TrainingSetBuilder();
  const touch = (user: string, item: string, action: string, weight: number, scene?: string): void =>
    builder.add(user, item as ItemId, { action, weight, ...(scene && { scene }) });
  touch("ann", "song:1", "play", 4, "music");
  touch("ann", "song:2", "like", 9);
  touch("ann", "podcast:1", "play", 1, "podcast");
  touch("bob", "song:1", "like", 16, "music");
  touch("bob", "plain", "play", 1, "music");
  const infos: object[] = [
    { item: "song:1", type: "song", creators: ["x", "y"], tags: ["calm"], scene: "music" },
    { item: "podcast:1", type: "podcast", creators: ["y"], tags: ["talk", "calm"] },
  ];
  for (const info of infos) builder.addInfo(info as ItemInfo);
  return builder.build();
}

/** `from -> to weight` of a relation, by names. */
function named(graph: HeterogeneousGraph, set: TrainingSet, from: string, to: string, action = ""): string[] {
  const name = (node: number): string => {
    const range = graph.ranges.find(({ first, ids }) => node >= first && node < first + ids.length);
    return range ? range.ids[node - range.first]! : set.histories.items[node]!;
  };
  const { first, starts, targets, weights } = graph.relations[graph.relation(from, to, action)]!;
  const all: string[] = [];
  for (let i = 0; i + 1 < starts.length; i++)
    for (let at = starts[i]!; at < starts[i + 1]!; at++) all.push(`${name(first + i)} -> ${name(targets[at]!)} ${weights[at]}`);
  return all.sort();
}

describe("HeterogeneousGraph", () => {
  const set = smallTown();
  const graph = new HeterogeneousGraph(set, 0.5);

  it("numbers items first, then users, creators, tags, scenes and types", () => {
    expect(graph.items).toBe(4);
    expect(graph.ranges.map(({ type, first, ids }) => [type, first, ids])).toEqual([
      ["user", 4, ["ann", "bob"]],
      ["creator", 6, ["x", "y"]],
      ["tag", 8, ["calm", "talk"]],
      ["scene", 10, ["music", "podcast"]],
      ["type", 12, ["song", "podcast", "item"]],
    ]);
    expect([...graph.types].map((type) => graph.typeNames[type])).toEqual([
      ...["song", "song", "podcast", "item", "user", "user", "creator", "creator", "tag", "tag", "scene", "scene", "type", "type", "type"],
    ]);
    expect([...graph.nodesOf("song")]).toEqual([0, 1]);
    expect([...graph.nodesOf("item")]).toEqual([0, 1, 2, 3]);
    expect([...graph.nodesOf("tag")]).toEqual([8, 9]);
  });

  it("has edges between users and items, damped, by type and by action, both ways", () => {
    const all = ["ann -> podcast:1 1", "ann -> song:1 2", "ann -> song:2 3", "bob -> plain 1", "bob -> song:1 4"];
    expect(named(graph, set, "user", "item")).toEqual(all);
    expect(named(graph, set, "user", "song")).toEqual(all.filter((edge) => edge.includes("song")));
    expect(named(graph, set, "user", "item", "like")).toEqual(["ann -> song:2 3", "bob -> song:1 4"]);
    expect(named(graph, set, "song", "user", "like")).toEqual(["song:1 -> bob 4", "song:2 -> ann 3"]);
    expect(named(graph, set, "podcast", "user")).toContain("podcast:1 -> ann 1");
  });

  it("has edges of items and their labels, and of users and scenes", () => {
    expect(named(graph, set, "item", "creator")).toEqual(["podcast:1 -> y 1", "song:1 -> x 1", "song:1 -> y 1"]);
    expect(named(graph, set, "creator", "podcast")).toEqual(["y -> podcast:1 1"]);
    expect(named(graph, set, "tag", "song")).toEqual(["calm -> song:1 1"]);
    // What side information says comes before where people met it.
    expect(named(graph, set, "item", "scene")).toEqual(["plain -> music 1", "podcast:1 -> podcast 1", "song:1 -> music 1"]);
    expect(named(graph, set, "user", "scene")).toEqual(["ann -> music 1", "ann -> podcast 1", "bob -> music 2"]);
    expect(named(graph, set, "item", "type")).toHaveLength(4);
  });

  it("makes a relation once, and refuses what is not there", () => {
    expect(graph.relation("user", "item", "")).toBe(graph.relation("user", "item", ""));
    for (const [from, to, action] of [
      ["user", "tag", ""],
      ["user", "item", "share"],
      ["item", "creator", "like"],
    ] as const)
      expect(() => graph.relation(from, to, action)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", where: "path" }));
  });

  it("takes a split file as it is: users and items alone", () => {
    const { histories } = set;
    const bare = new HeterogeneousGraph({ histories: { ...histories, items: ["a", "b", "c", "d"] as ItemId[] } }, 0.5);
    expect(bare.ranges.map(({ ids }) => ids.length)).toEqual([2, 0, 0, 0, 1]);
    expect([...bare.relations[bare.relation("user", "item", "")]!.weights]).toEqual([1, 1, 1, 1, 1]);
  });
});
