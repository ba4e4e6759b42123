import { describe, expect, it } from "vitest";
import { NOW, testServer } from "../test-server.js";

describe("administration", () => {
  it("GET /v1/admin/users/{user} answers the whole row", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1");
    const time = new Date(NOW).toISOString();
    expect((await call("GET", "/v1/admin/users/ada")).body).toEqual({
      user: "ada",
      fingerprint: null,
      events: 1,
      updatedAt: time,
      position: "k1-0.1",
      catalogue: 1,
      totalWeight: 1,
      items: [{ item: "song:1", weight: 1, ts: time }],
      keywords: [{ keyword: "item song:1", weight: 1 }],
      accumulators: [1, -2],
    });
    expect((await call("GET", "/v1/admin/users/bob")).body.code).toBe("UNKNOWN_USER");
  });

  it("POST /v1/admin/state/verify says whether state and profiles agree", async () => {
    const { call, intake } = testServer();
    expect((await call("POST", "/v1/admin/state/verify")).body).toEqual({
      ok: true,
      rows: 0,
      storedHash: "a",
      recomputedHash: "a",
      faultCount: 0,
      faults: [],
    });
    intake.verify = async () => ({ rows: 1, storedHash: "a", recomputedHash: "b", faults: [], faultCount: 0 });
    expect((await call("POST", "/v1/admin/state/verify")).body.ok).toBe(false);
    intake.verify = async () => ({
      rows: 1,
      storedHash: "a",
      recomputedHash: "a",
      faults: [{ user: "ada", field: "sums" }] as never,
      faultCount: 1,
    });
    expect((await call("POST", "/v1/admin/state/verify")).body).toMatchObject({ ok: false, faults: [{ user: "ada", field: "sums" }] });
  });

  it("GET /v1/admin/dead-letters pages by number", async () => {
    const { call } = testServer();
    const numbers = async (query: string) =>
      ((await call("GET", `/v1/admin/dead-letters${query}`)).body.deadLetters as { number: number }[]).map(({ number }) => number);
    expect(await numbers("")).toEqual([1, 2, 3]);
    expect(await numbers("?after=1&limit=1")).toEqual([2]);
    expect((await call("GET", "/v1/admin/dead-letters?limit=1")).body.deadLetters).toEqual([
      {
        number: 1,
        code: "RECORD_UNREADABLE",
        message: "not Avro",
        origin: "journal 0:1",
        at: new Date(NOW).toISOString(),
        original: "base64:AA==",
      },
    ]);
  });

  it("POST /v1/admin/dead-letters/replay tries all again, or repaired ones", async () => {
    const { call, replayed } = testServer();
    expect((await call("POST", "/v1/admin/dead-letters/replay", { all: true })).body).toEqual({
      replayed: 3,
      failed: 0,
      position: "k1-0.9",
    });
    const event = { user: "ada" };
    await call("POST", "/v1/admin/dead-letters/replay", { repairs: [{ number: 2, event }] });
    expect(replayed).toEqual(["all", new Map([[2, event]])]);
  });

  it.each([
    [{}],
    [{ all: false }],
    [{ all: true, repairs: [{ number: 1, event: {} }] }],
    [{ repairs: [] }],
    [{ repairs: [{ number: "1", event: {} }] }],
  ])("refuses to replay %j", async (body) => {
    const { call, replayed } = testServer();
    const answer = await call("POST", "/v1/admin/dead-letters/replay", body);
    expect([answer.status, answer.body.code, replayed]).toEqual([400, "INVALID_BODY", []]);
  });

  it("GET /v1/admin/stats gives the sizes of what recall reads", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1", "song:2");
    expect((await call("GET", "/v1/admin/stats")).body).toMatchObject({
      users: 1,
      items: 2,
      fingerprints: 0,
      vectors: 1,
      shards: [{ shard: "users-0", rows: 1 }],
    });
  });

  it("GET /v1/state/hash gives hash, rows and position", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1");
    expect((await call("GET", "/v1/state/hash")).body).toEqual({
      hash: "00ff".repeat(8),
      rows: 1,
      position: "k1-0.1",
      catalogue: 1,
      migrating: false,
    });
  });
});

describe("generations and scenarios", () => {
  it("lists generation 0 as the active one", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1");
    const of = { kind: "random-indexing", state: "active", pooled: 1, folder: null, publishedAt: null };
    const generations = [{ id: 0, dims: 16, metric: "cosine", rows: 1, items: 0, active: true, ...of }];
    const list = { active: 0, previous: null, next: null, generations };
    expect((await call("GET", "/v1/generations")).body).toEqual(list);
    expect((await call("POST", "/v1/generations/0/activate")).body).toEqual(list);
  });

  it.each([
    ["1", 404, "UNKNOWN_GENERATION"],
    ["x", 400, "INVALID_PARAMETER"],
    ["-1", 400, "INVALID_PARAMETER"],
  ])("does not activate %s", async (id, status, code) => {
    const { call } = testServer();
    const answer = await call("POST", `/v1/generations/${id}/activate`);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  it("lists the scenarios that always exist, with their ladders", async () => {
    const { call } = testServer();
    const { scenarios } = (await call<{ scenarios: { name: string; needs: string; ladder: string[] }[] }>("GET", "/v1/scenarios")).body;
    expect(scenarios.map(({ name, needs, ladder }) => [name, needs, ladder])).toEqual([
      ["u2u", "user", ["vector", "fingerprint", "popular"]],
      ["u2i", "user", ["vector", "co-occurrence", "popular"]],
      ["i2i", "item", ["vector", "co-occurrence", "popular"]],
      ["u2u2i", "user", ["vector", "co-occurrence", "popular"]],
    ]);
  });
});
