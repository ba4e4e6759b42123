import fc from "fast-check";
import type { Static } from "typebox";
import { describe, expect, it } from "vitest";
import type { RecallAnswer } from "../../../../schemas/http.js";
import type { ItemId, UserId } from "../../../../schemas/ids.js";
import { NOW, testServer } from "../../test-server.js";

type Answer = Static<typeof RecallAnswer>;
type Result = Answer["results"][number];

const total = ({ explanation }: Result): number =>
  (explanation?.items.reduce((sum, { contribution }) => sum + contribution, 0) ?? Number.NaN) + (explanation?.other ?? Number.NaN);

describe("explain", () => {
  it("is left out unless asked for", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1");
    await plays("bob", "song:1");
    const { body } = await call<Answer>("GET", "/v1/recall/u2u?user=ada");
    expect(body.results[0]).not.toHaveProperty("explanation");
  });

  it("decomposes a vector score: what is listed and `other` add up to it", async () => {
    const item = fc.integer({ min: 0, max: 30 }).map((n) => `song:${n}`);
    const event = fc.record({
      user: fc.constantFrom("ada", "bob", "eve", "kim"),
      item,
      action: fc.constantFrom("play", "like", "skip"),
      ts: fc.constant(NOW),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 4, maxLength: 60 }), async (events) => {
        const { call, api } = testServer();
        await call("POST", "/v1/events", { events });
        const { body } = await call<Answer>("GET", "/v1/recall/u2u?user=ada&explain=true");
        const plain = await call<Answer>("GET", "/v1/recall/u2u?user=ada");
        expect(body.results.map(({ id, score }) => [id, score])).toEqual(plain.body.results.map(({ id, score }) => [id, score]));
        for (const result of body.results) {
          expect(result.explanation?.items.length).toBeLessThanOrEqual(5);
          if (body.rung !== "vector") continue;
          expect(total(result)).toBeCloseTo(result.sources[0]?.score ?? Number.NaN, 6);
          expect(result.score).toBe(result.sources[0]?.score);
        }
        await api.close();
      }),
      { numRuns: 25 },
    );
  });

  it("lists all of a small profile, so that nothing but rounding is left, with titles", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1", "song:2", "song:3");
    await plays("bob", "song:1", "song:2", "song:9");
    await call("PUT", "/v1/items/song:1", { title: "Harbour Lights" });
    const { body } = await call<Answer>("GET", "/v1/recall/u2u?user=ada&explain=true");
    const explanation = body.results.find(({ id }) => id === "bob")?.explanation;
    expect(explanation?.items).toHaveLength(3);
    expect(Math.abs(explanation?.other ?? 1)).toBeLessThan(1e-6);
    expect(explanation?.items.find(({ id }) => id === "song:1")?.title).toBe("Harbour Lights");
    expect(explanation?.items.find(({ id }) => id === "song:2")).not.toHaveProperty("title");
    expect(explanation?.text).toContain("“Harbour Lights”");
    expect(explanation?.terms).toEqual({});
  });

  const sentence = async (call: ReturnType<typeof testServer>["call"], id: string): Promise<string> => {
    const { body } = await call<Answer>("GET", "/v1/recall/u2u?user=ada&explain=true");
    return body.results.find((result) => result.id === id)?.explanation?.text ?? expect.fail(`${id} is not among the results`);
  };

  it("names in its sentence only what both have, and are of one mind about", async () => {
    const item = fc.integer({ min: 0, max: 25 }).map((n) => `song:${n}`);
    const event = fc.record({
      user: fc.constantFrom("ada", "bob", "eve"),
      item,
      action: fc.constantFrom("play", "like", "skip"),
      ts: fc.constant(NOW),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 6, maxLength: 60 }), async (events) => {
        const { call, api, intake } = testServer();
        await call("POST", "/v1/events", { events });
        const weightOf = (user: string, id: string): number => intake.rows.get(user as UserId)?.weights.get(id as ItemId) ?? 0;
        const { body } = await call<Answer>("GET", "/v1/recall/u2u?user=ada&explain=true");
        for (const { id, explanation } of body.rung === "vector" ? body.results : []) {
          const named = [...(explanation?.text ?? "").matchAll(/“([^”]+)”/g)].map(([, name]) => name as string);
          for (const name of named) expect(weightOf("ada", name) * weightOf(id, name), `${id}: ${explanation?.text}`).toBeGreaterThan(0);
          if (named.length === 0) expect(explanation?.text).toMatch(/^Near this user by vector alone/);
        }
        await api.close();
      }),
      { numRuns: 25 },
    );
  });

  it("says how much of the likeness is of what both have, and what the rest is of", async () => {
    const axis = (...parts: readonly number[]): Int16Array => Int16Array.from({ length: 16 }, (_, d) => 1000 * (parts[d] ?? 0));
    const vectors: Record<string, Int16Array> = {
      a: axis(1),
      near: axis(0.9, 0.1),
      b: axis(0, 1),
      c: axis(0, 0, 1),
      bore: axis(0, 0, 0, 1),
    };
    const pooled = (items: Record<string, number>): number[] =>
      Object.entries(items).reduce(
        (sum, [item, weight]) => sum.map((x, d) => x + weight * (vectors[item]?.[d] ?? 0)),
        new Array<number>(16).fill(0),
      );
    const { call, intake } = testServer({ of: { itemVectors: { dims: 16, vector: (item) => vectors[item] } } });
    const profiles: Record<string, Record<string, number>> = {
      ada: { a: 4, b: 2, c: 1, bore: -2 },
      both: { a: 1 },
      stranger: { near: 1 },
      mostly: { near: 4, b: 1 },
      bored: { bore: -1 },
      opposed: { near: 4, c: -1 },
    };
    const rows = Object.entries(profiles).map(([user, items]) => ({
      user,
      fingerprintHi: 0,
      fingerprintLo: 0,
      hasFingerprint: false,
      events: 1,
      updatedAt: NOW,
      offset: 1,
      items: Object.keys(items),
      weights: Float32Array.from(Object.values(items)),
    }));
    const ordinals = intake.readModel.apply({ partition: 0, offset: 1, eventTime: NOW, rows, erased: [] } as never);
    intake.engine.upsert({ ordinals, vectors: Float32Array.from(Object.values(profiles).flatMap(pooled)) });
    expect(await sentence(call, "both")).toBe(
      "Behaves like this user, chiefly around “a” (0.80 of a similarity of 0.80 from what both have).",
    );
    expect(await sentence(call, "stranger")).toBe(
      "Near this user by vector alone (similarity 0.84): nothing that both have brings them together.",
    );
    expect(await sentence(call, "mostly")).toBe(
      "Behaves like this user around “b” (0.14 of a similarity of 0.89 from what both have); the rest is of things that only one of them has.",
    );
    expect(await sentence(call, "bored")).toBe(
      "Behaves like this user, chiefly in turning away from “bore” (0.40 of a similarity of 0.40 from what both have).",
    );
    expect(await sentence(call, "opposed")).toMatch(/^Near this user by vector alone/);
  });

  it("contributions are w <e, o> / |sum w e|: known answer", async () => {
    const unit = (axis: number, scale = 1): Int16Array => Int16Array.from({ length: 16 }, (_, d) => (d === axis ? 1000 * scale : 0));
    const axes: Record<string, Int16Array> = { a: unit(0), b: unit(1) };
    const { call, intake } = testServer({ of: { itemVectors: { dims: 16, vector: (item) => axes[item] } } });
    const row = (user: string, items: string[], weights: number[]) => ({
      user,
      fingerprintHi: 0,
      fingerprintLo: 0,
      hasFingerprint: false,
      events: 1,
      updatedAt: NOW,
      offset: 1,
      items,
      weights: Float32Array.from(weights),
    });
    const ordinals = intake.readModel.apply({
      partition: 0,
      offset: 1,
      eventTime: NOW,
      rows: [row("me", ["a", "b"], [3, 4]), row("you", ["a"], [1])],
      erased: [],
    } as never);
    const vectors = new Float32Array(32);
    vectors.set([3, 4], 0);
    vectors.set([1], 16);
    intake.engine.upsert({ ordinals, vectors });
    const { body } = await call<Answer>("GET", "/v1/recall/u2u?user=me&explain=true");
    expect(body.results[0]?.score).toBeCloseTo(0.6, 6);
    expect(body.results[0]?.explanation?.items.map(({ id, contribution }) => [id, Math.round(contribution * 1e6) / 1e6])).toEqual([
      ["a", 0.6],
      ["b", 0],
    ]);
  });

  it("takes the score anew when a vector moved between search and explanation, and ranks anew", async () => {
    const { call, plays, intake } = testServer();
    await plays("ada", "song:1", "song:2");
    await plays("bob", "song:1", "song:2");
    await plays("eve", "song:1", "song:2", "song:7", "song:8");
    const search = intake.engine.searchFrom.bind(intake.engine);
    intake.engine.searchFrom = async (ordinal, options) => {
      const found = await search(ordinal, options);
      await plays("ada", "song:7", "song:8", "song:7", "song:8");
      return found;
    };
    const { body } = await call<Answer>("GET", "/v1/recall/u2u?user=ada&explain=true");
    intake.engine.searchFrom = search;
    const now = await call<Answer>("GET", "/v1/recall/u2u?user=ada&explain=true");
    expect(body.results[0]?.id).toBe("eve");
    expect(body.results.map(({ id }) => id)).toEqual(now.body.results.map(({ id }) => id));
    body.results.forEach((result, i) => {
      expect(result.score).toBeCloseTo(now.body.results[i]?.score ?? 0, 6);
      expect(total(result)).toBeCloseTo(result.score, 6);
      expect(result.sources[0]?.rank).toBe(i + 1);
    });
  });

  it("puts all of a score under `other` when no profile of now explains it", async () => {
    const { call, plays } = testServer({ of: { itemVectors: undefined } });
    await plays("ada", "song:1");
    await plays("bob", "song:1");
    const { body } = await call<Answer>("GET", "/v1/recall/u2u?user=ada&explain=true");
    expect(body.results[0]?.explanation).toMatchObject({ items: [], other: body.results[0]?.score });
  });

  it("decomposes a session's scores too", async () => {
    const { call, plays } = testServer();
    await plays("bob", "song:1", "song:2", "song:9");
    const { body } = await call<Answer>("POST", "/v1/recall/u2u?explain=true", {
      events: [
        { item: "song:1", action: "play" },
        { item: "song:2", action: "like" },
      ],
    });
    expect(body.results[0]?.explanation?.items.map(({ id }) => id).sort()).toEqual(["song:1", "song:2"]);
    expect(total(body.results[0] as Result)).toBeCloseTo(body.results[0]?.score ?? 0, 6);
    expect(body.results[0]?.explanation?.text).toContain("this session");
  });

  it("names distance and shared keywords of a fingerprint", async () => {
    const { call, plays, intake } = testServer();
    intake.fingerprints.set("mia", 0b11).set("max", 0b10);
    await plays("mia", "mute:1", "mute:2");
    await plays("max", "mute:1", "mute:3");
    const { body } = await call<Answer>("GET", "/v1/recall/u2u?user=mia&explain=true");
    expect(body.results[0]?.explanation).toMatchObject({
      keywords: ["item mute:1"],
      text: "The fingerprints differ in 1 of 64 bits; both lean towards “item mute:1”.",
    });
  });

  it("names the neighbour that an item came through", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1", "song:2");
    await plays("bob", "song:1", "song:2", "song:4");
    const { body } = await call<Answer>("GET", "/v1/recall/u2u2i?user=ada&explain=true");
    const explanation = body.results.find(({ id }) => id === "song:4")?.explanation;
    expect(explanation?.via).toEqual([{ id: "bob", type: "user", score: expect.any(Number) }]);
    expect(explanation?.text).toContain("bob");
  });

  it("names the items that a co-occurring one came through", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1", "song:2");
    await plays("bob", "song:1", "song:4");
    await call("PUT", "/v1/items/song:1", { title: "Harbour Lights" });
    const forUser = await call<Answer>("GET", "/v1/recall/u2i?user=ada&explain=true");
    expect(forUser.body.results[0]?.explanation?.via?.map(({ id, title }) => [id, title])).toEqual([["song:1", "Harbour Lights"]]);
    expect(forUser.body.results[0]?.explanation?.text).toBe("Who has “Harbour Lights” often has this too.");
    const forItem = await call<Answer>("GET", "/v1/recall/i2i?item=song:1&explain=true");
    for (const result of forItem.body.results)
      expect(result.explanation).toMatchObject({ items: [{ id: "song:1", contribution: result.score }], other: 0 });
  });

  it("says that what is popular is only that", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1");
    expect((await call<Answer>("GET", "/v1/recall/u2i?user=new&explain=true")).body.results[0]?.explanation?.text).toBe(
      "In the profiles of 1 user.",
    );
    expect((await call<Answer>("GET", "/v1/recall/u2u?user=new&explain=true")).body.results[0]?.explanation?.text).toContain(
      "Active just now",
    );
  });
});
