import type { Static } from "typebox";
import { describe, expect, it } from "vitest";
import type { RecallAnswer } from "../../../schemas/http.js";
import { NOW, sharedServer, testServer } from "../test-server.js";

type Answer = Static<typeof RecallAnswer>;
const ids = (answer: Answer): string[] => answer.results.map(({ id }) => id);

/** ada and bob alike, eve unlike them; song:4 only bob has. */
async function town() {
  const server = testServer();
  await server.plays("ada", "song:1", "song:2", "song:3");
  await server.plays("bob", "song:1", "song:2", "song:3", "song:4");
  await server.plays("eve", "talk:1", "talk:2", "song:3");
  const recall = async (query: string) => (await server.call<Answer>("GET", `/v1/recall/${query}`)).body;
  return { ...server, recall };
}

describe("GET /v1/recall/{scenario}", () => {
  it("answers in the contract's shape", async () => {
    const { recall } = await town();
    const answer = await recall("u2u?user=ada&limit=1&variant=default");
    expect(answer).toEqual({
      requestId: expect.any(String),
      scenario: "u2u",
      mode: "u2u",
      variant: "default",
      generation: 0,
      rung: "vector",
      degraded: false,
      fresh: true,
      asOf: { position: "k1-0.a", eventTime: new Date(NOW + 3).toISOString() },
      tookMs: expect.any(Number),
      results: [
        { id: "bob", type: "user", score: expect.any(Number), sources: [{ method: "vector", score: expect.any(Number), rank: 1 }] },
      ],
    });
    expect(answer.results[0]?.score).toBeGreaterThan(0.5);
  });

  it("u2u finds who is alike, never the asking user, only at positive cosine", async () => {
    const { recall } = await town();
    const answer = await recall("u2u?user=ada");
    expect(ids(answer)[0]).toBe("bob");
    expect(ids(answer)).not.toContain("ada");
    for (const { score } of answer.results) expect(score).toBeGreaterThan(0);
  });

  it("u2u without a vector goes by the fingerprint", async () => {
    const { recall, plays, intake } = await town();
    for (const [user, fingerprint] of [
      ["mia", 0b1111],
      ["max", 0b1101],
      ["moe", 0b0000],
    ] as const) {
      intake.fingerprints.set(user, fingerprint);
      await plays(user, "mute:1");
    }
    const answer = await recall("u2u?user=mia");
    expect(answer.rung).toBe("fingerprint");
    expect(answer.results).toEqual([
      { id: "max", type: "user", score: 1 - 1 / 64, sources: [{ method: "fingerprint", distance: 1, rank: 1 }] },
    ]);
  });

  it("u2u by a fingerprint whose bucket was cut is degraded", async () => {
    const { recall, plays, intake } = await town();
    const { readModel } = intake;
    const whole = readModel.nearFingerprints.bind(readModel);
    Object.assign(readModel, {
      nearFingerprints: async (...asked: Parameters<typeof whole>) => ({ ...(await whole(...asked)), truncated: true }),
    });
    for (const user of ["mia", "max"]) {
      intake.fingerprints.set(user, 0b1);
      await plays(user, "mute:1");
    }
    const answer = await recall("u2u?user=mia");
    expect([answer.rung, answer.degraded, ids(answer)]).toEqual(["fingerprint", true, ["max"]]);
  });

  it("u2u for someone unknown answers with who was active just now, and says so", async () => {
    const { recall } = await town();
    const answer = await recall("u2u?user=nobody");
    expect([answer.rung, ids(answer), answer.results[0]?.sources[0]?.method]).toEqual(["popular", ["eve", "bob", "ada"], "recent"]);
  });

  it("u2u2i answers what near users like and the asker has not met", async () => {
    const { recall } = await town();
    const answer = await recall("u2u2i?user=ada");
    expect([answer.rung, answer.results[0]?.id, answer.results[0]?.type]).toEqual(["vector", "song:4", "song"]);
    for (const met of ["song:1", "song:2", "song:3"]) expect(ids(answer)).not.toContain(met);
  });

  it("u2i without a model answers by co-occurrence", async () => {
    const { recall } = await town();
    const answer = await recall("u2i?user=ada");
    expect(answer.rung).toBe("co-occurrence");
    expect(ids(answer)[0]).toBe("song:4");
    expect(ids(answer)).not.toContain("song:1");
  });

  it("i2i answers by co-occurrence, without the item itself", async () => {
    const { recall } = await town();
    const answer = await recall("i2i?item=song%3A4");
    expect([answer.mode, answer.rung, ids(answer).sort()]).toEqual(["i2i", "co-occurrence", ["song:1", "song:2", "song:3"]]);
  });

  it.each([["u2u2i?user=nobody"], ["u2i?user=nobody"], ["i2i?item=nothing"]])(
    "%s of someone unknown answers what is popular",
    async (query) => {
      const { recall } = await town();
      const answer = await recall(query);
      expect(answer.rung).toBe("popular");
      expect(answer.results[0]).toMatchObject({ id: "song:3", score: 3, sources: [{ method: "popular", rank: 1 }] });
    },
  );

  it("leaves out of what is popular what the user has met", async () => {
    const { recall, plays } = await town();
    await plays("zoe", "solo:1");
    const answer = await recall("u2i?user=zoe");
    expect(answer.rung).toBe("popular");
    expect(ids(answer)).not.toContain("solo:1");
    expect(ids(answer)).toContain("song:3");
  });

  it("answers nothing, on the last rung, while nothing is known at all", async () => {
    const { call } = testServer();
    for (const query of ["u2u?user=ada", "u2i?user=ada", "i2i?item=x", "u2u2i?user=ada"]) {
      const { status, body } = await call<Answer>("GET", `/v1/recall/${query}`);
      expect([status, body.rung, body.results, body.asOf]).toEqual([200, "popular", [], { position: "k1", eventTime: null }]);
    }
  });

  it("answers at most limit results", async () => {
    const { recall } = await town();
    for (const query of ["u2u?user=nobody", "u2u2i?user=eve", "u2i?user=nobody", "i2i?item=song:1"])
      expect((await recall(`${query}&limit=1`)).results).toHaveLength(1);
  });

  it("gives an item the type of its side information, else of its id, else `item`", async () => {
    const { call, recall, plays } = await town();
    await plays("bob", "plain");
    await call("PUT", "/v1/items/song:4", { type: "ballad" });
    const types = Object.fromEntries((await recall("u2u2i?user=ada")).results.map(({ id, type }) => [id, type]));
    expect(types).toMatchObject({ "song:4": "ballad", plain: "item" });
  });

  const wrong: [string, number, string][] = [
    ["nope?user=ada", 404, "UNKNOWN_SCENARIO"],
    ["toString?user=ada", 404, "UNKNOWN_SCENARIO"],
    ["u2u", 400, "INVALID_PARAMETER"],
    ["u2u?item=x", 400, "INVALID_PARAMETER"],
    ["i2i?user=ada", 400, "INVALID_PARAMETER"],
    ["u2u?user=", 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&variant=of-no-experiment", 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&user=bob", 400, "INVALID_PARAMETER"],
    [`u2u?user=${"x".repeat(129)}`, 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&limit=0", 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&limit=1001", 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&limit=1.5", 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&limit=ten", 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&limit=", 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&limit=NaN", 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&limit=0x10", 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&explain=maybe", 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&waitMs=-1", 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&waitMs=10001", 400, "INVALID_PARAMETER"],
    ["u2u?user=ada&after=yesterday", 400, "INVALID_POSITION"],
    ["u2u?user=ada&limt=5", 400, "INVALID_PARAMETER"],
  ];
  const shared = sharedServer();
  it.each(wrong)("refuses %s", async (query, status, code) => {
    const { call } = shared();
    const answer = await call("GET", `/v1/recall/${query}`);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  it("names the parameter that is wrong", async () => {
    const { call } = testServer();
    expect((await call("GET", "/v1/recall/u2u?user=ada&limit=0")).body.detail).toContain("limit");
    expect((await call("GET", "/v1/recall/u2u?user=ada&limt=5")).body.detail).toContain("limt");
  });
});

describe("after", () => {
  it("waits for the event, and the answer includes it", async () => {
    const { call, plays, intake } = await town();
    intake.hold = true;
    const position = await plays("new", "song:1", "song:2");
    const asked = call<Answer>("GET", `/v1/recall/u2u?user=new&after=${position}`);
    setTimeout(() => intake.apply(), 20);
    const { body } = await asked;
    expect([body.fresh, body.rung, body.asOf.position]).toEqual([true, "vector", position]);
    expect(ids(body).slice(0, 2).sort()).toEqual(["ada", "bob"]);
  });

  it("answers with what there is when it is not reached within waitMs, and says so", async () => {
    const { call, plays, intake } = await town();
    intake.hold = true;
    const position = await plays("new", "song:1");
    for (const waitMs of [0, 5]) {
      const { status, body } = await call<Answer>("GET", `/v1/recall/u2u?user=new&after=${position}&waitMs=${waitMs}`);
      expect([status, body.fresh, body.rung]).toEqual([200, false, "popular"]);
      expect(body.asOf.position).not.toBe(position);
    }
  });

  it("is read before the search begins: what comes meanwhile is not claimed", async () => {
    const server = await town();
    const before = server.intake.current().position;
    const search = server.intake.engine.searchFrom.bind(server.intake.engine);
    server.intake.engine.searchFrom = async (ordinal, options) => {
      await server.plays("late", "song:1");
      return search(ordinal, options);
    };
    const answer = await server.recall("u2u?user=ada");
    expect(answer.asOf.position).toBe(`k1-0.${(before.get(0 as never) ?? 0).toString(36)}`);
    expect(ids(answer)).toContain("late");
  });
});

describe("POST /v1/recall/{scenario}", () => {
  it("answers many users at once as one by one", async () => {
    const { call, recall } = await town();
    const users = ["ada", "nobody", "eve"];
    for (const scenario of ["u2u", "u2i", "u2u2i"]) {
      const { status, body } = await call<{ results: Answer[] }>("POST", `/v1/recall/${scenario}?limit=3`, { users });
      expect(status).toBe(200);
      const single = await Promise.all(users.map((user) => recall(`${scenario}?user=${user}&limit=3`)));
      expect(body.results.map(({ rung, results }) => ({ rung, results }))).toEqual(single.map(({ rung, results }) => ({ rung, results })));
    }
  });

  it("answers many items for i2i", async () => {
    const { call } = await town();
    const { body } = await call<{ results: Answer[] }>("POST", "/v1/recall/i2i", { items: ["song:4", "nothing"], limit: 2 });
    expect(body.results.map(({ rung, results }) => [rung, results.length])).toEqual([
      ["co-occurrence", 2],
      ["popular", 2],
    ]);
  });

  it("pools a session in the request, on the rung `session`, and stores nothing", async () => {
    const { call, intake } = await town();
    const events = [
      { item: "song:1", action: "play" },
      { item: "song:2", action: "like", ts: NOW },
    ];
    for (const [scenario, best] of [
      ["u2u", "ada"],
      ["u2u2i", "song:3"],
      ["u2i", "song:3"],
    ] as const) {
      const { status, body } = await call<Answer>("POST", `/v1/recall/${scenario}`, { events });
      expect([status, body.rung, body.scenario]).toEqual([200, "session", scenario]);
      expect(ids(body).slice(0, 2)).toContain(best);
      expect(ids(body)).not.toContain("song:1");
    }
    expect(intake.rows.size).toBe(3);
    expect(intake.readModel.user("session" as never)).toBeUndefined();
  });

  it("a session counts as the same events of a user would", async () => {
    const { call, plays, recall } = await town();
    await plays("twin", "song:1", "song:4");
    const session = await call<Answer>("POST", "/v1/recall/u2u", {
      events: [
        { item: "song:1", action: "play" },
        { item: "song:4", action: "play" },
      ],
    });
    const [twin, ...rest] = session.body.results;
    expect([twin?.id, twin?.score]).toEqual(["twin", expect.closeTo(1, 6)]);
    const user = await recall("u2u?user=twin");
    expect(rest.map(({ id }) => id)).toEqual(ids(user));
    for (const [i, { score }] of rest.entries()) expect(score).toBeCloseTo(user.results[i]?.score ?? 0, 6);
  });

  it("a session of skips alone, or of unknown items, falls to what is popular", async () => {
    const { call } = await town();
    const events = [{ item: "mute:9", action: "play" }];
    expect((await call<Answer>("POST", "/v1/recall/u2i", { events })).body.rung).toBe("popular");
    expect((await call<Answer>("POST", "/v1/recall/u2u", { events })).body.rung).toBe("popular");
    expect((await call<Answer>("POST", "/v1/recall/u2i", { events: [{ item: "song:1", action: "skip" }] })).body.rung).toBe("popular");
  });

  const wrong: [string, string, unknown, number, string][] = [
    ["nothing named", "u2u", {}, 400, "INVALID_BODY"],
    ["two named", "u2u", { users: ["a"], events: [{}] }, 400, "INVALID_BODY"],
    ["users as text", "u2u", { users: "ada" }, 400, "INVALID_BODY"],
    ["no users", "u2u", { users: [] }, 400, "INVALID_BODY"],
    ["too many users", "u2u", { users: new Array(257).fill("a") }, 400, "INVALID_BODY"],
    ["a number as user", "u2u", { users: [7] }, 400, "INVALID_BODY"],
    ["a lone surrogate as user", "u2u", { users: ["\ud800"] }, 400, "INVALID_PARAMETER"],
    ["items for u2u", "u2u", { items: ["a"] }, 400, "INVALID_BODY"],
    ["users for i2i", "i2i", { users: ["a"] }, 400, "INVALID_BODY"],
    ["a bad event", "u2u", { events: [{ item: "a", action: "teleport" }] }, 400, "INVALID_BODY"],
    ["an event that is text", "u2u", { events: ["a"] }, 400, "INVALID_BODY"],
    ["too many events", "u2u", { events: new Array(513).fill({ item: "a", action: "play" }) }, 400, "INVALID_BODY"],
    ["a limit as text", "u2u", { users: ["a"], limit: "5" }, 400, "INVALID_BODY"],
    ["an unknown field", "u2u", { users: ["a"], limt: 5 }, 400, "INVALID_BODY"],
    ["an unknown scenario", "u3u", { users: ["a"] }, 404, "UNKNOWN_SCENARIO"],
    ["broken JSON", "u2u", "{", 400, "INVALID_JSON"],
    ["a bad position", "u2u", { users: ["a"], after: "x" }, 400, "INVALID_POSITION"],
  ];
  const shared = sharedServer();
  it.each(wrong)("refuses %s", async (_name, scenario, body, status, code) => {
    const { call } = shared();
    const answer = await call("POST", `/v1/recall/${scenario}`, body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  it("names the event of a session that is wrong", async () => {
    const { call } = testServer();
    const { body } = await call("POST", "/v1/recall/u2u", {
      events: [
        { item: "a", action: "play" },
        { item: "a", action: "hop" },
      ],
    });
    expect(body.detail).toContain("EVENT_ACTION");
    expect(body.detail).toContain("events.1");
  });
});
