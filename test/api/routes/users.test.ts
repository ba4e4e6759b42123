import { describe, expect, it } from "vitest";
import { NOW, testServer } from "../test-server.js";

interface Profile {
  user: string;
  topItems: { id: string; title?: string; weight: number }[];
  vector?: number[] | null;
}
interface Neighbors {
  by: string;
  results: { id: string; score?: number; distance?: number }[];
}
interface Receipt {
  complete: boolean;
  removed: { where: string; removed: boolean }[];
  nothingIn: string[];
  erasedAt: string;
  position: string;
}

describe("GET /v1/users/{user}", () => {
  it("answers the profile as the contract says", async () => {
    const { call, plays, intake } = testServer();
    intake.fingerprints.set("ada", 0xabc);
    await plays("ada", "song:1", "song:2", "song:2");
    await call("PUT", "/v1/items/song:2", { title: "Harbour Lights" });
    const { status, body } = await call("GET", "/v1/users/ada");
    expect(status).toBe(200);
    expect(body).toEqual({
      user: "ada",
      fingerprint: "0000000000000abc",
      events: 3,
      topItems: [
        { id: "song:2", title: "Harbour Lights", weight: 2 },
        { id: "song:1", weight: 1 },
      ],
      updatedAt: new Date(NOW + 2).toISOString(),
      position: "k1-0.3",
      generation: 0,
    });
  });

  it("adds the vector when asked for: of length 1, null where there is none", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1");
    await plays("mia", "mute:1");
    const { vector } = (await call<Profile>("GET", "/v1/users/ada?fields=vector")).body;
    expect(vector).toHaveLength(16);
    expect(vector?.reduce((sum, x) => sum + x * x, 0)).toBeCloseTo(1, 5);
    const mia = (await call("GET", "/v1/users/mia?fields=vector")).body;
    expect([mia.vector, mia.fingerprint]).toEqual([null, null]);
  });

  it("gives as many top items as asked for", async () => {
    const { call, plays } = testServer();
    await plays("ada", ...Array.from({ length: 30 }, (_, i) => `song:${i}`));
    expect((await call<Profile>("GET", "/v1/users/ada")).body.topItems).toHaveLength(20);
    expect((await call<Profile>("GET", "/v1/users/ada?top=0")).body.topItems).toHaveLength(0);
    expect((await call<Profile>("GET", "/v1/users/ada?top=25")).body.topItems).toHaveLength(25);
  });

  it("reads percent-encoded ids", async () => {
    const { call, plays } = testServer();
    for (const user of ["a/b", "a?b#c", "100%", "ä ö", "🎵"]) {
      await plays(user, "song:1");
      expect((await call<Profile>("GET", `/v1/users/${encodeURIComponent(user)}`)).body.user).toBe(user);
    }
  });

  it.each([
    ["/v1/users/nobody", 404, "UNKNOWN_USER"],
    ["/v1/users/nobody/neighbors", 404, "UNKNOWN_USER"],
    ["/v1/users/nobody?fields=all", 400, "INVALID_PARAMETER"],
    ["/v1/users/a/neighbors?by=smell", 400, "INVALID_PARAMETER"],
    ["/v1/users/a/neighbors?by=simhash&maxDistance=65", 400, "INVALID_PARAMETER"],
    ["/v1/users/a/neighbors?limit=0", 400, "INVALID_PARAMETER"],
  ])("refuses %s", async (url, status, code) => {
    const { call } = testServer();
    const answer = await call("GET", url);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });
});

describe("GET /v1/users/{user}/neighbors", () => {
  it("by vector: all by score, negative ones too, never the user", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1", "song:2");
    await plays("bob", "song:1", "song:2");
    await call("POST", "/v1/events", { events: [{ user: "eve", item: "song:1", action: "skip", ts: NOW }] });
    const { body } = await call<Neighbors>("GET", "/v1/users/ada/neighbors");
    expect(body).toMatchObject({ user: "ada", by: "vector", generation: 0, truncated: false, asOf: { position: "k1-0.5" } });
    expect(body.results.map(({ id }) => id)).toEqual(["bob", "eve"]);
    expect(body.results[0]?.score).toBeCloseTo(1, 6);
    expect(body.results[1]?.score).toBeLessThan(0);
  });

  it("by fingerprint: within maxDistance (2 where left out), nearest first", async () => {
    const { call, plays, intake } = testServer();
    for (const [user, bits] of [
      ["ada", 0],
      ["b1", 1],
      ["b2", 3],
      ["b3", 7],
    ] as const) {
      intake.fingerprints.set(user, bits);
      await plays(user, "song:1");
    }
    const near = async (query: string) => (await call<Neighbors>("GET", `/v1/users/ada/neighbors?by=simhash${query}`)).body.results;
    expect(await near("")).toEqual([
      { id: "b1", distance: 1 },
      { id: "b2", distance: 2 },
    ]);
    expect(await near("&maxDistance=0")).toEqual([]);
    expect((await near("&maxDistance=3")).map(({ id }) => id)).toEqual(["b1", "b2", "b3"]);
    expect(await near("&maxDistance=3&limit=1")).toHaveLength(1);
  });
});

describe("DELETE /v1/users/{user}", () => {
  it("answers with a receipt once the user is gone from every answer", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1", "song:2");
    await plays("bob", "song:1");
    const { status, body } = await call<Receipt>("DELETE", "/v1/users/ada");
    expect(status).toBe(200);
    expect(body).toMatchObject({ user: "ada", complete: true, position: "k1-0.4" });
    expect(body.removed.map(({ where, removed }) => [where, removed])).toEqual([
      ["log", true],
      ["state", true],
      ["read-model", true],
      ["index", true],
    ]);
    expect(body.nothingIn).toEqual([]);
    // The vector is gone from memory: what is said of the files must not be more than is true.
    expect(body.removed.find(({ where }) => where === "index")).toMatchObject({ what: expect.stringContaining("next save") });
    expect((await call("GET", "/v1/users/ada")).status).toBe(404);
    expect((await call<Neighbors>("GET", "/v1/users/bob/neighbors")).body.results).toEqual([]);
    expect((await call("GET", "/v1/admin/users/ada")).status).toBe(404);
  });

  it("reaches events that are dated ahead of the clock", async () => {
    const { call, intake } = testServer();
    const ts = Date.now() + 30_000;
    const server = testServer({ rules: () => ({ actions: new Set(["play"]), latestTs: ts }) });
    await server.call("POST", "/v1/events", { events: [{ user: "ada", item: "song:1", action: "play", ts }] });
    await server.call("DELETE", "/v1/users/ada");
    expect(server.intake.erasures).toEqual([{ user: "ada", at: ts }]);
    await call("DELETE", "/v1/users/nobody");
    expect(intake.erasures[0]?.at).toBeGreaterThan(NOW);
  });

  it("says so when the erasure is durable but not applied within the wait", async () => {
    const { call, plays, intake } = testServer({ settings: { erasureWaitMs: 10 } });
    await plays("ada", "song:1");
    intake.hold = true;
    const { status, body } = await call<Receipt>("DELETE", "/v1/users/ada");
    expect([status, body.complete]).toEqual([200, false]);
    expect(body.removed.map(({ removed }) => removed)).toEqual([true, false, false, false]);
  });

  it("erases someone of whom nothing is known without an error", async () => {
    const { call, plays, intake } = testServer();
    const { status, body } = await call<Receipt>("DELETE", "/v1/users/nobody");
    expect([status, body.complete, intake.erasures.length]).toEqual([200, true, 1]);
    // Nothing was there: nothing is said to be removed. Neither the second time.
    const nothing = { removed: [], nothingIn: ["log", "state", "read-model", "index"] };
    expect(body).toMatchObject(nothing);
    await plays("ada", "song:1");
    expect((await call<Receipt>("DELETE", "/v1/users/ada")).body.removed).toHaveLength(4);
    expect((await call<Receipt>("DELETE", "/v1/users/ada")).body).toMatchObject({ complete: true, ...nothing });
  });

  it("says that no vector was held of someone who had none", async () => {
    const { call, plays } = testServer();
    await plays("mia", "mute:1");
    const { body } = await call<Receipt>("DELETE", "/v1/users/mia");
    expect(body.complete).toBe(true);
    expect(body.removed.map(({ where, removed }) => [where, removed])).toEqual([
      ["log", true],
      ["state", true],
      ["read-model", true],
    ]);
    expect(body.nothingIn).toEqual(["index"]);
  });

  it("takes a DELETE with a JSON content type and no body", async () => {
    const { call } = testServer();
    expect((await call("DELETE", "/v1/users/ada", undefined, { "content-type": "application/json" })).status).toBe(200);
  });

  it("does not take for a leftover who acts again right after", async () => {
    const { call, plays, intake } = testServer();
    await plays("ada", "song:1");
    const erase = intake.erase.bind(intake);
    intake.erase = async (user, at) => {
      const receipt = await erase(user, at);
      await plays("ada", "song:2");
      return receipt;
    };
    expect((await call<Receipt>("DELETE", "/v1/users/ada")).body.complete).toBe(true);
    expect((await call<Profile>("GET", "/v1/users/ada")).body.topItems.map(({ id }) => id)).toEqual(["song:2"]);
  });
});
