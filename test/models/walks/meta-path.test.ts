import { describe, expect, it } from "vitest";
import { TrainingSetBuilder } from "../../../models/training-set/training-set-builder.js";
import { HeterogeneousGraph } from "../../../models/walks/heterogeneous-graph.js";
import { compileMetaPath, contextTable, defaultMetaPaths } from "../../../models/walks/meta-path.js";
import type { ItemId } from "../../../schemas/ids.js";

function graphOf(creators: boolean): HeterogeneousGraph {
  const builder = new TrainingSetBuilder();
  builder.add("ann", "song:1" as ItemId, { action: "like" });
  builder.add("bob", "song:1" as ItemId, { action: "play" });
  builder.add("bob", "podcast:1" as ItemId, { action: "play" });
  builder.addUser("idle");
  if (creators) builder.addInfo({ item: "song:1" as ItemId, type: "song", creators: ["x"] });
  return new HeterogeneousGraph(builder.build(), 1);
}

describe("compileMetaPath", () => {
  it("has a relation a step and a walker for each node that has an edge to begin with", () => {
    const graph = graphOf(true);
    const { relations, nodes } = compileMetaPath("user-song-artist-song-user", graph);
    expect([...relations]).toEqual([
      graph.relation("user", "song", ""),
      graph.relation("song", "creator", ""),
      graph.relation("creator", "song", ""),
      graph.relation("song", "user", ""),
    ]);
    expect([...nodes]).toEqual([2, 3]);
    const liked = compileMetaPath("user-(like)song-(like)user", graph);
    expect([...liked.relations]).toEqual([graph.relation("user", "song", "like"), graph.relation("song", "user", "like")]);
    expect([...liked.nodes]).toEqual([2]);
    expect([...compileMetaPath("podcast - user - podcast", graph).nodes]).toEqual([1]);
  });

  it.each([
    ["", /no meta-path/],
    ["user", /must end with the type/],
    ["user-song", /must end with the type/],
    ["user-song-tag", /must end with the type/],
    ["user-movie-user", /movie.*these data have song, podcast/],
    ["user--user", /no meta-path/],
    ["user-(like-song", /no meta-path/],
    ["(like)user-song-(like)user", /begins with an action/],
    ["user-tag-user", /no edges lead from user to tag/],
    ["user-(share)song-user", /by share/],
  ])("refuses %j and says why", (text, why) => {
    expect(() => compileMetaPath(text, graphOf(true))).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", where: "path", message: expect.stringMatching(why) }),
    );
  });
});

describe("defaultMetaPaths", () => {
  it("are those that the data have", () => {
    expect(defaultMetaPaths(graphOf(false))).toEqual(["user-item-user"]);
    expect(defaultMetaPaths(graphOf(true))).toEqual(["user-item-user", "user-item-creator-item-user"]);
  });
});

describe("contextTable", () => {
  it("has each pair both ways, items of all types where so said, and everything where nothing is", () => {
    const graph = graphOf(true);
    const [song, podcast, user] = ["song", "podcast", "user"].map((name) => graph.typeNames.indexOf(name));
    const pairs = (text: string): string[] => {
      const table = contextTable(text, graph);
      const many = graph.typeNames.length;
      return [...table.entries()].flatMap(([at, is]) => (is === 1 ? [`${Math.floor(at / many)} ${at % many}`] : [])).sort();
    };
    expect(pairs("user~song")).toEqual([`${song} ${user}`, `${user} ${song}`].sort());
    expect(pairs("item~item").sort()).toEqual(
      [`${song} ${song}`, `${song} ${podcast}`, `${podcast} ${song}`, `${podcast} ${podcast}`].sort(),
    );
    expect(pairs("")).toHaveLength(graph.typeNames.length ** 2);
    for (const wrong of ["user", "user~movie", "user~song~user"])
      expect(() => contextTable(wrong, graph)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", where: "context" }));
  });
});
