import fc from "fast-check";
import type { Static } from "typebox";
import { describe, expect, it } from "vitest";
import type { RecallAnswer } from "../../../schemas/http.js";
import type { ItemId } from "../../../schemas/ids.js";
import { itemVectors } from "../folding-intake.js";
import { NOW } from "../test-server.js";
import { outputVector, trainedServer } from "../trained-items.js";

type Answer = Static<typeof RecallAnswer>;
type Result = Answer["results"][number];

const songs = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `song:${from + i}`);

/** The inner product of the pooled direction of what was played once each with an item's output vector. */
function scoreOf(played: readonly string[], item: string): number {
  const sum = new Float64Array(16);
  for (const one of played)
    itemVectors.vector(one as ItemId)!.forEach((x, d) => {
      sum[d]! += x;
    });
  return sum.reduce((dot, x, d) => dot + x * outputVector(item)![d]!, 0) / Math.hypot(...sum);
}

const bestOf = (played: readonly string[], candidates: readonly string[]): { id: string; score: number }[] =>
  candidates
    .map((id) => ({ id, score: scoreOf(played, id) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score);

const total = ({ explanation }: Result): number =>
  (explanation?.items.reduce((sum, { contribution }) => sum + contribution, 0) ?? Number.NaN) + (explanation?.other ?? Number.NaN);

describe("u2i by output vectors", () => {
  it("gives what was not met, by inner product with the pooled user: known answers", async () => {
    const { call, plays, follow } = trainedServer();
    const played = songs(0, 5);
    await plays("ada", ...played);
    await plays("bob", ...songs(3, 60));
    follow();
    const { body } = await call<Answer>("GET", "/v1/recall/u2i?user=ada&limit=20");
    expect([body.rung, body.mode, body.generation]).toEqual(["vector", "u2i", 0]);
    const expected = bestOf(played, songs(5, 60)).slice(0, 20);
    expect(body.results.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    body.results.forEach(({ type, score, sources }, i) => {
      expect(score).toBeCloseTo(expected[i]!.score, 4);
      expect([type, sources]).toEqual(["song", [{ method: "vector", score, rank: i + 1 }]]);
    });
  });

  it("decomposes each score over the profile: contributions and other add up to it", async () => {
    const event = fc.record({
      user: fc.constantFrom("ada", "bob", "eve"),
      item: fc.integer({ min: 0, max: 40 }).map((n) => (n % 9 === 8 ? `mute:${n}` : `song:${n}`)),
      action: fc.constantFrom("play", "like", "skip"),
      ts: fc.constant(NOW),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 6, maxLength: 60 }), async (events) => {
        const { call, follow, api } = trainedServer();
        await call("POST", "/v1/events", { events });
        follow();
        const { body } = await call<Answer>("GET", "/v1/recall/u2i?user=ada&explain=true");
        const plain = await call<Answer>("GET", "/v1/recall/u2i?user=ada");
        expect(body.results.map(({ id, score }) => [id, score])).toEqual(plain.body.results.map(({ id, score }) => [id, score]));
        const met = new Set(events.filter(({ user }) => user === "ada").map(({ item }) => item));
        for (const result of body.results) {
          expect(met).not.toContain(result.id);
          if (body.rung !== "vector") continue;
          expect(result.sources[0]).toMatchObject({ method: "vector", score: result.score });
          expect(total(result)).toBeCloseTo(result.score, 5);
        }
        await api.close();
      }),
      { numRuns: 25 },
    );
  });

  it("names what of the past speaks for an item, and leaves nothing but rounding where all of it is listed", async () => {
    const { call, plays, follow } = trainedServer();
    await plays("ada", "song:1", "song:2", "song:3");
    await plays("bob", ...songs(4, 40));
    await call("PUT", "/v1/items/song:1", { title: "Harbour Lights" });
    follow();
    const { body } = await call<Answer>("GET", "/v1/recall/u2i?user=ada&explain=true");
    for (const { explanation } of body.results) {
      expect(explanation?.items.map(({ id }) => id).sort()).toEqual(["song:1", "song:2", "song:3"]);
      expect(Math.abs(explanation?.other ?? 1)).toBeLessThan(1e-4);
      expect(explanation?.items.find(({ id }) => id === "song:1")?.title).toBe("Harbour Lights");
      expect(explanation?.text).toMatch(/^Goes with what this user has met, chiefly “/);
    }
  });

  it("takes the score anew when the user moved between search and explanation", async () => {
    const { call, plays, follow, items } = trainedServer();
    await plays("ada", "song:1");
    await plays("bob", ...songs(2, 30));
    follow();
    const search = items.outputs.search.bind(items.outputs);
    items.outputs.search = async (query, options) => {
      const found = await search(query, options);
      await plays("ada", "song:1", "song:40", "song:40");
      return found;
    };
    const { body } = await call<Answer>("GET", "/v1/recall/u2i?user=ada&explain=true");
    expect(body.results.length).toBeGreaterThan(0);
    for (const result of body.results) {
      expect(result.score).toBeCloseTo(scoreOf(["song:1", "song:1", "song:40", "song:40"], result.id), 3);
      expect(total(result)).toBeCloseTo(result.score, 5);
    }
    expect(body.results.map(({ score }) => score)).toEqual(body.results.map(({ score }) => score).sort((a, b) => b - a));
  });

  it("answers a session as a user who did the same", async () => {
    const { call, plays, follow } = trainedServer();
    await plays("ada", "song:1", "song:2");
    await plays("bob", ...songs(3, 40));
    follow();
    const events = ["song:1", "song:2"].map((item) => ({ item, action: "play" }));
    const session = await call<Answer>("POST", "/v1/recall/u2i?explain=true", { events });
    const user = await call<Answer>("GET", "/v1/recall/u2i?user=ada");
    expect(session.body.rung).toBe("session");
    expect(session.body.results.map(({ id }) => id)).toEqual(user.body.results.map(({ id }) => id));
    for (const result of session.body.results) {
      expect(result.sources[0]?.method).toBe("vector");
      expect(total(result)).toBeCloseTo(result.score, 5);
      expect(result.explanation?.text).toContain("this session");
    }
    const from = await call<Answer>("POST", "/v1/recall/i2i", { events });
    expect(from.body.results).toEqual(session.body.results.map(({ explanation: _, ...result }) => result));
  });

  it("goes down the ladder: co-occurrence without a vector, what is popular without anything", async () => {
    const { call, plays, follow } = trainedServer();
    await plays("ada", "mute:1");
    await plays("bob", "mute:1", "song:2");
    follow();
    expect((await call<Answer>("GET", "/v1/recall/u2i?user=ada")).body).toMatchObject({
      rung: "co-occurrence",
      results: [{ id: "song:2" }],
    });
    expect((await call<Answer>("GET", "/v1/recall/u2i?user=new")).body.rung).toBe("popular");
  });
});
