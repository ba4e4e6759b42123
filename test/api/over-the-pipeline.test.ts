import type { Static } from "typebox";
import { afterEach, describe, expect, it } from "vitest";
import { MemoryReadModel } from "../../index/read-model/memory-read-model.js";
import { ExactEngine } from "../../index/vector-engine/exact-engine.js";
import { RandomIndexing } from "../../models/item-vectors/random-indexing.js";
import type { RecallAnswer } from "../../schemas/http.js";
import type { Generation } from "../../schemas/ids.js";
import type { AppliedPosition } from "../../schemas/ports/event-log.js";
import { covers } from "../../schemas/position.js";
import { generationZero } from "../../state/catalogue-builder.js";
import { foldSettings } from "../../state/fold-settings.js";
import { NodeCipher } from "../harness/node-cipher.js";
import { PipelineDriver } from "../harness/pipeline-driver.js";
import { NOW, type TestServer, testServer } from "./test-server.js";

type Answer = Static<typeof RecallAnswer>;
const REF = generationZero(32);
const DAY = 86_400_000;

const drivers: PipelineDriver[] = [];
afterEach(async () => {
  await Promise.all(drivers.splice(0).map((driver) => driver.close()));
});

/** The HTTP side over the real journal, fold and publishing, in memory. */
async function wholeServer(): Promise<TestServer & { driver: PipelineDriver }> {
  const readModel = new MemoryReadModel();
  const engine = new ExactEngine({ dims: REF.dims, metric: "cosine", generation: REF.generation as Generation });
  const driver = await PipelineDriver.open({
    cipher: new NodeCipher(),
    itemVectors: (ref) => RandomIndexing.of(ref),
    publisher: {
      publish({ partition, endOffset, eventTime, rows, erased, vectors }) {
        const gone = erased.flatMap((user) => readModel.userOrdinal(user) ?? []);
        const ordinals = readModel.apply({ partition, offset: endOffset, eventTime, rows, erased });
        engine.remove(Uint32Array.from(gone));
        if (vectors[0] !== undefined) engine.upsert({ ordinals, vectors: vectors[0].values });
        readModel.setApplied(partition, endOffset, eventTime);
      },
    },
  });
  drivers.push(driver);
  const applied: AppliedPosition = {
    current: () => readModel.applied(),
    async waitFor(position, timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      while (!covers(readModel.applied().position, position) && Date.now() < deadline)
        await new Promise((resolve) => setImmediate(resolve));
      return covers(readModel.applied().position, position);
    },
  };
  const server = testServer({
    intake: driver.intake,
    applied,
    readModel,
    of: { users: engine, itemVectors: RandomIndexing.of(REF) },
    owner: {
      profile: async (user) => driver.state.profile(user),
      summary: async () => driver.state.summary(),
      verify: () => driver.state.verify(),
      histories: async () => ({ histories: [] }),
      itemInfos: async (items) => items.map(() => undefined),
    },
    rules: () => driver.rules(),
    foldSettings,
  });
  return Object.assign(server, { driver });
}

describe("over the real pipeline", () => {
  it("who only turned away from things is near those who turned away from the same, not those who like it", async () => {
    const { call } = await wholeServer();
    const did = (user: string, action: string, ...songs: readonly number[]) =>
      songs.map((song) => ({ user, item: `song:${song}`, action, ts: NOW }));
    const events = [
      ...did("grump", "dislike", 1, 2, 3),
      ...did("same", "dislike", 1, 2, 3),
      ...did("half", "skip", 1, 2),
      ...did("half", "like", 8),
      ...did("fan", "like", 1, 2, 3),
      ...did("other", "like", 20, 21, 22),
    ];
    const { body: sent } = await call<{ position: string }>("POST", "/v1/events", { events });
    const near = await call<Answer>("GET", `/v1/recall/u2u?user=grump&explain=true&after=${sent.position}`);
    expect([near.body.rung, near.body.fresh]).toEqual(["vector", true]);
    expect(near.body.results.map(({ id }) => id).slice(0, 2)).toEqual(["same", "half"]);
    expect(near.body.results[0]?.score).toBeCloseTo(1, 5);
    expect(near.body.results[0]?.explanation?.text).toContain("in turning away from");
    expect(near.body.results.map(({ id }) => id)).not.toContain("fan");
    // What those like who turned away from the same, and nothing that was turned away from.
    const wanted = await call<Answer>("GET", "/v1/recall/u2u2i?user=grump");
    expect([wanted.body.rung, wanted.body.results[0]?.id]).toEqual(["vector", "song:8"]);
    for (const { id } of wanted.body.results) expect(["song:1", "song:2", "song:3"]).not.toContain(id);
  });

  it("an event is in the next answer after its position, and explanations decompose the published vectors exactly", async () => {
    const { call } = await wholeServer();
    const actions = ["play", "like", "skip", "collect", "share", "dislike"];
    // Over a hundred days, so that weights decay between a user's events.
    const events = Array.from({ length: 600 }, (_, i) => ({
      user: `u${i % 12}`,
      item: `song:${(i * 37 + (i >> 4)) % 90}`,
      action: actions[i % 7] ?? "play",
      ts: NOW - 200 * DAY + Math.floor((i * DAY) / 6),
      value: i % 50,
    }));
    const sent = await call<{ accepted: number; position: string }>("POST", "/v1/events", { events });
    expect(sent.body.accepted).toBe(600);
    for (let u = 0; u < 12; u++) {
      const { body } = await call<Answer>("GET", `/v1/recall/u2u?user=u${u}&explain=true&after=${sent.body.position}&waitMs=10000`);
      expect([body.fresh, body.rung]).toEqual([true, "vector"]);
      for (const { score, explanation } of body.results) {
        expect(explanation?.items).toHaveLength(5);
        const listed = explanation?.items.reduce((sum, { contribution }) => sum + contribution, 0) ?? Number.NaN;
        expect(listed + (explanation?.other ?? Number.NaN)).toBeCloseTo(score, 6);
      }
    }
  });

  it("an erased user is gone from state and answers, with a receipt; the state hash says so", async () => {
    const { call } = await wholeServer();
    const post = async (user: string, item: string) =>
      call<{ position: string }>("POST", "/v1/events", { events: [{ user, item, action: "play", ts: NOW }] });
    const { position } = (await post("ada", "song:1")).body;
    await call("GET", `/v1/recall/u2u?user=ada&after=${position}&waitMs=10000`);
    const before = (await call("GET", "/v1/state/hash")).body;
    await post("eve", "song:1");
    const receipt = (await call("DELETE", "/v1/users/eve")).body;
    expect(receipt.complete).toBe(true);
    expect((await call("GET", "/v1/users/eve")).body.code).toBe("UNKNOWN_USER");
    expect((await call("GET", "/v1/admin/users/eve")).body.code).toBe("UNKNOWN_USER");
    expect((await call("DELETE", "/v1/users/eve")).body.complete).toBe(true);
    expect((await call("GET", "/v1/state/hash")).body.rows).toBe(before.rows);
    expect((await call("POST", "/v1/admin/state/verify")).body).toMatchObject({ ok: true });
  });

  it("a session is pooled with the weights that the fold gives the same events", async () => {
    const { call } = await wholeServer();
    const events = [
      { item: "song:1", action: "play", value: 240 },
      { item: "song:2", action: "like" },
      { item: "song:3", action: "dislike" },
      { item: "song:1", action: "finish", value: 30 },
    ];
    const { position } = (
      await call<{ position: string }>("POST", "/v1/events", { events: events.map((event) => ({ ...event, user: "twin", ts: NOW })) })
    ).body;
    const { body } = await call<Answer>("POST", `/v1/recall/u2u?after=${position}&waitMs=10000`, { events });
    expect([body.fresh, body.results[0]?.id]).toEqual([true, "twin"]);
    expect(body.results[0]?.score).toBeCloseTo(1, 5);
  });
});
