import type { Static } from "typebox";
import { describe, expect, it } from "vitest";
import type { RecallAnswer } from "../../../schemas/http.js";
import type { ItemId } from "../../../schemas/ids.js";
import { itemVectors } from "../folding-intake.js";
import { trainedServer } from "../trained-items.js";

type Answer = Static<typeof RecallAnswer>;

function cosine(a: string, b: string): number {
  const [x, y] = [itemVectors.vector(a as ItemId)!, itemVectors.vector(b as ItemId)!];
  return x.reduce((dot, component, d) => dot + component * y[d]!, 0) / (Math.hypot(...x) * Math.hypot(...y));
}

const songs = Array.from({ length: 40 }, (_, i) => `song:${i}`);

describe("i2i by vectors", () => {
  it("gives the nearest others as the model compares them, by recall and as raw neighbours", async () => {
    const { call, plays, follow } = trainedServer();
    await plays("ada", ...songs);
    follow();
    const expected = songs
      .slice(1)
      .map((id) => ({ id, score: cosine("song:0", id) }))
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score);
    const { body } = await call<Answer>("GET", "/v1/recall/i2i?item=song:0");
    expect(body.rung).toBe("vector");
    expect(body.results.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    body.results.forEach(({ score, sources }, i) => {
      expect(score).toBeCloseTo(expected[i]!.score, 5);
      expect(sources).toEqual([{ method: "vector", score, rank: i + 1 }]);
    });
    const raw = await call<{ by: string; results: { id: string; type: string; score: number }[] }>(
      "GET",
      "/v1/items/song:0/neighbors?limit=3",
    );
    expect(raw.body.by).toBe("vector");
    expect(raw.body.results).toEqual(body.results.slice(0, 3).map(({ id, type, score }) => ({ id, type, score })));
    expect((await call("GET", "/v1/generations")).body.generations).toMatchObject([{ items: 40 }]);
  });

  it("explains a score by the item asked for", async () => {
    const { call, plays, follow } = trainedServer();
    await plays("ada", ...songs);
    await call("PUT", "/v1/items/song:0", { title: "Harbour Lights" });
    follow();
    const { body } = await call<Answer>("GET", "/v1/recall/i2i?item=song:0&explain=true&limit=3");
    for (const { score, explanation } of body.results)
      expect(explanation).toEqual({
        text: "Near “Harbour Lights” for the model: the same people like both.",
        items: [{ id: "song:0", title: "Harbour Lights", contribution: score }],
        other: 0,
        terms: {},
      });
  });

  it("answers many at once, each from its own item; one without a vector by co-occurrence", async () => {
    const { call, plays, follow } = trainedServer();
    await plays("ada", "mute:1", "song:1", "song:2", "song:3", "song:4", "song:5");
    follow();
    const { body } = await call<{ results: (Answer & { item: string })[] }>("POST", "/v1/recall/i2i", {
      items: ["song:1", "mute:1", "nothing"],
    });
    expect(body.results.map(({ item, rung }) => [item, rung])).toEqual([
      ["song:1", "vector"],
      ["mute:1", "co-occurrence"],
      ["nothing", "popular"],
    ]);
    expect((await call("GET", "/v1/items/mute:1/neighbors")).body.by).toBe("co-occurrence");
  });
});
