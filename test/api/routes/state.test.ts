import { describe, expect, it } from "vitest";
import { KindredError } from "../../../schemas/errors.js";
import { NOW, type TestServer, testServer } from "../test-server.js";

const lines = async ({ api }: TestServer) => {
  const answer = await api.inject({ method: "GET", url: "/v1/state/histories" });
  const text = answer.body.split("\n");
  expect(text.pop()).toBe("");
  return { status: answer.statusCode, type: answer.headers["content-type"], lines: text.map((line) => JSON.parse(line)) };
};

describe("GET /v1/state/histories", () => {
  it("gives each profile as a line, side information before its item first comes, and says that it is whole", async () => {
    const server = testServer();
    await server.plays("bob", "song:2", "song:1");
    await server.plays("ada", "song:1");
    await server.call("PUT", "/v1/items/song:1", { title: "One", tags: ["calm"] });
    const { status, type, lines: all } = await lines(server);
    expect([status, type]).toEqual([200, "application/x-ndjson"]);
    expect(all).toEqual([
      { info: { item: "song:1", type: "song", title: "One", tags: ["calm"] } },
      { user: "ada", items: ["song:1"], weights: [1], times: [NOW] },
      { user: "bob", items: ["song:2", "song:1"], weights: [1, 1], times: [NOW + 1, NOW + 1] },
      { end: { users: 2, position: "k1-0.3" } },
    ]);
  });

  it("gives every user once, however many pages they fill, and side information once too", async () => {
    const server = testServer();
    await server.call("PUT", "/v1/items/song:1", { title: "One" });
    const users = Array.from({ length: 700 }, (_, i) => `u${String(i).padStart(3, "0")}`);
    for (const user of users) await server.plays(user, "song:1");
    const all = (await lines(server)).lines;
    expect(all.flatMap(({ user }) => user ?? [])).toEqual(users);
    expect(all.filter(({ info }) => info !== undefined)).toHaveLength(1);
    expect(all.at(-1).end.users).toBe(700);
  });

  it("says of nobody that there is nobody, and tells by its status what can't be answered", async () => {
    const server = testServer();
    expect((await lines(server)).lines).toEqual([{ end: { users: 0, position: expect.any(String) } }]);
    server.intake.histories = async () => {
      throw new KindredError("WRONG_ROLE", "1 of 4 partitions are here");
    };
    expect(await server.call("GET", "/v1/state/histories")).toMatchObject({ status: 421, body: { code: "WRONG_ROLE" } });
  });
});
