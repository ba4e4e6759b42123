import { describe, expect, it } from "vitest";
import { testServer } from "../test-server.js";

interface Taken {
  accepted: number;
  rejected: { index: number; code: string }[];
}
interface Neighbors {
  results: { id: string; type: string; score: number }[];
}

describe("PUT /v1/items/{item}", () => {
  it("sets side information, which answers show at once", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1");
    const info = { title: "Harbour Lights", creators: ["The Moles"], tags: ["sea", "sea", "slow"], scene: "music" };
    const put = await call("PUT", "/v1/items/song%3A1", info);
    const stored = { item: "song:1", type: "song", ...info, tags: ["sea", "slow"] };
    expect([put.status, put.body]).toEqual([200, stored]);
    expect((await call("GET", "/v1/items/song:1")).body).toEqual({ ...stored, users: 1 });
    await call("PUT", "/v1/items/song:1", { type: "ballad" });
    expect((await call("GET", "/v1/items/song:1")).body).toEqual({ item: "song:1", type: "ballad", users: 1 });
  });

  const wrong: [string, unknown, number, string][] = [
    ["/v1/items/song:1", { title: 7 }, 400, "INVALID_BODY"],
    ["/v1/items/song:1", { title: "t".repeat(513) }, 400, "INVALID_BODY"],
    ["/v1/items/song:1", { tags: new Array(65).fill("t") }, 400, "ITEM_INFO"],
    ["/v1/items/song:1", { tags: ["\ud800"] }, 400, "ITEM_INFO"],
    ["/v1/items/plain", { title: "no type" }, 400, "ITEM_INFO"],
    ["/v1/items/song:1", { item: "song:2" }, 400, "ITEM_INFO"],
    ["/v1/items/song:1", [], 400, "INVALID_BODY"],
    ["/v1/items/song:1", "{", 400, "INVALID_JSON"],
    [`/v1/items/${"x".repeat(129)}`, { type: "song" }, 400, "INVALID_PARAMETER"],
  ];
  it.each(wrong)("refuses %s %j", async (url, body, status, code) => {
    const { call, intake } = testServer();
    const answer = await call("PUT", url, body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(intake.readModel.stats().items).toBe(0);
  });
});

describe("POST /v1/items", () => {
  it("takes the good ones and refuses the others by index", async () => {
    const { call } = testServer();
    const { status, body } = await call<Taken>("POST", "/v1/items", {
      items: [{ item: "song:1", title: "A" }, { item: "plain" }, 7, { item: "song:2" }],
    });
    expect(status).toBe(200);
    expect([body.accepted, body.rejected.map(({ index, code }) => [index, code])]).toEqual([
      2,
      [
        [1, "ITEM_INFO"],
        [2, "ITEM_INFO"],
      ],
    ]);
    expect((await call("GET", "/v1/items/song:1")).body).toEqual({ item: "song:1", type: "song", title: "A", users: 0 });
  });

  it("refuses too many as a whole", async () => {
    const { call, intake } = testServer({ settings: { maxItems: 2 } });
    const answer = await call("POST", "/v1/items", { items: ["song:1", "song:2", "song:3"].map((item) => ({ item })) });
    expect([answer.status, answer.body.code]).toEqual([413, "TOO_MANY_EVENTS"]);
    expect(intake.readModel.stats().items).toBe(0);
  });
});

describe("GET /v1/items/{item}", () => {
  it.each(["/v1/items/nothing", "/v1/items/nothing/neighbors"])("answers 404 for %s", async (url) => {
    const { call } = testServer();
    const answer = await call("GET", url);
    expect([answer.status, answer.body.code]).toEqual([404, "UNKNOWN_ITEM"]);
  });

  it("neighbors: raw i2i by co-occurrence, strongest first", async () => {
    const { call, plays } = testServer();
    await plays("ada", "song:1", "song:2", "talk:1");
    await plays("bob", "song:1", "song:2");
    const { status, body } = await call<Neighbors>("GET", "/v1/items/song:1/neighbors?limit=5");
    expect(status).toBe(200);
    expect(body).toMatchObject({ item: "song:1", by: "co-occurrence", generation: 0 });
    expect(body.results.map(({ id, type }) => [id, type])).toEqual([
      ["song:2", "song"],
      ["talk:1", "talk"],
    ]);
    expect(body.results[0]?.score).toBeCloseTo(1, 6);
    expect((await call<Neighbors>("GET", "/v1/items/song:1/neighbors?limit=1")).body.results).toHaveLength(1);
  });
});
