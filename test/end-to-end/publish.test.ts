import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ItemId } from "../../schemas/ids.js";
import { generateTown } from "../../town/town.js";
import { townHistory } from "../../town/town-events.js";
import { KindredServer, kindred, kindredJson, sleep, temporaryDirectory } from "../harness/kindred-process.js";
import { randomModel, writeModel } from "../harness/made-model.js";

const NOW = Date.UTC(2026, 0, 1);
const town = generateTown({ seed: 2, listeners: 150 });
const past = [...townHistory(town, { seed: 2, endTs: NOW, spanMs: 30 * 86_400_000, eventsEach: 80 })];
const items = [...new Set(past.map(({ item }) => item))];
const disliked = (user: string): number => past.filter((event) => event.user === user && /skip|dislike/.test(event.action)).length;
/** Who likes more than they turn away from: the others are the opposite of everybody in the model below, and are answered further down the ladder. */
const users = town.listeners.map(({ user }) => user).filter((user) => disliked(user) < 8);
const DIMS = 16;
/** Of an item's output vector, along the one direction that all inputs have. */
const liking = new Map(items.map((item, i) => [item as string, 1 + ((i * 7919) % 1000) / 1000]));

/**
 * A model in which everybody is alike and every item has a score of its own: an answer of this generation is known to the last digit,
 * however users move, and none of another generation looks like it.
 */
function tellingModel(directory: string): Promise<string> {
  const along = (length: (item: ItemId) => number): Float32Array => {
    const values = new Float32Array(items.length * DIMS);
    for (const [i, item] of items.entries()) values[i * DIMS] = length(item);
    return values;
  };
  const input = { dims: DIMS, values: along(() => 1) };
  return writeModel(directory, { items, input, output: { dims: DIMS, values: along((item) => liking.get(item) as number) } });
}

interface Answer {
  readonly generation: number;
  readonly rung: string;
  readonly degraded: boolean;
  readonly results: readonly {
    readonly id: string;
    readonly score: number;
    readonly explanation?: { readonly items: readonly { readonly contribution: number }[]; readonly other: number };
  }[];
}
interface Live {
  readonly active: number;
  readonly generations: readonly { readonly id: number; readonly state: string }[];
}

async function ask<T>(url: string, body?: unknown, method = body === undefined ? "GET" : "POST"): Promise<T> {
  const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const answer = await fetch(url, { method, ...json });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

describe("publishing to a running server", () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let server: KindredServer | undefined;
  let data = "";
  beforeEach(async () => {
    directory = await temporaryDirectory("publish");
    data = join(directory.path, "data");
  });
  afterEach(async () => {
    await server?.kill();
    server = undefined;
    await directory.remove();
  });
  const serve = async (): Promise<string> => {
    server = await KindredServer.start(data);
    return server.url;
  };
  const send = (url: string, events: readonly unknown[]): Promise<{ position: string }> => ask(`${url}/v1/events`, { events });
  const sendAll = async (url: string): Promise<void> => {
    let position = "";
    for (let at = 0; at < past.length; at += 4000) position = (await send(url, past.slice(at, at + 4000))).position;
    await ask(`${url}/v1/recall/u2u?user=${users[0]}&after=${position}&waitMs=10000`);
  };
  const active = async (url: string, generation: number): Promise<void> => {
    for (let live = await ask<Live>(`${url}/v1/generations`); live.active !== generation; live = await ask<Live>(`${url}/v1/generations`))
      await sleep(50);
  };

  /** Asks without pause until it is stopped; every answer is of one generation through and through. */
  function askAway(url: string): { readonly seen: Answer[]; readonly wrong: string[]; stop(): Promise<void> } {
    const [seen, wrong]: [Answer[], string[]] = [[], []];
    let going = true;
    const check = (scenario: string, who: string, answer: Answer): void => {
      seen.push(answer);
      const fault = faultOf(scenario, answer);
      if (fault !== undefined) wrong.push(`${scenario} of ${who}: ${fault}`);
    };
    const loop = async (one: (n: number) => Promise<void>): Promise<void> => {
      for (let n = 0; going; n++) await one(n).catch((error: unknown) => wrong.push(String(error)));
    };
    const user = (n: number): string => users[(n * 31) % users.length] as string;
    const get = (path: string): Promise<Answer> => ask<Answer>(`${url}/v1/recall/${path}`);
    const session = { events: items.slice(0, 3).map((item) => ({ item, action: "play" })) };
    const loops = [
      loop(async (n) => check("u2u", user(n), await get(`u2u?user=${user(n)}&limit=20`))),
      loop(async (n) => check("u2u", user(n), await get(`u2u?user=${user(n)}&limit=5&explain=true`))),
      loop(async (n) => check("u2i", user(n), await get(`u2i?user=${user(n)}&limit=20`))),
      loop(async (n) => check("u2i", user(n), await get(`u2i?user=${user(n)}&limit=5&explain=true`))),
      loop(async () => check("u2i", "a session", await ask<Answer>(`${url}/v1/recall/u2i?limit=10`, session))),
    ];
    return {
      seen,
      wrong,
      stop: async () => {
        going = false;
        await Promise.all(loops);
      },
    };
  }

  it("no recall fails and no answer mixes two spaces, while events come, when it is published, gone back from and published again", async () => {
    const url = await serve();
    await sendAll(url);
    const model = await tellingModel(join(directory.path, "telling"));
    const asking = askAway(url);
    let streaming = true;
    const stream = (async () => {
      for (let at = 0; streaming; at = (at + 20) % past.length) {
        await send(
          url,
          past.slice(at, at + 20).map((event) => ({ ...event, ts: NOW })),
        );
        await sleep(50);
      }
    })();
    await sleep(300);
    await kindredJson(["publish", model, "--wait", "--data-dir", data]);
    await sleep(300);
    expect(await kindredJson<Live>(["rollback", "--data-dir", data])).toMatchObject({ active: 0 });
    await sleep(300);
    expect((await ask<Live>(`${url}/v1/generations/1/activate`, {})).active).toBe(1);
    await sleep(300);
    streaming = false;
    await stream;
    await asking.stop();
    expect(asking.wrong).toEqual([]);
    // Each in turn, and more than a few answers of each.
    const turns = asking.seen.map(({ generation }) => generation);
    expect(turns.filter((one) => one === 1).length).toBeGreaterThan(20);
    expect(turns.filter((one) => one === 0).length).toBeGreaterThan(20);
    expect(turns.at(-1)).toBe(1);
    expect(server?.logText).not.toMatch(/"level":(50|60)/);
  });

  it("is published in the end, wherever it is killed, with the state of a clean replay", async () => {
    const url = await serve();
    await sendAll(url);
    const model = await randomModel(directory.path, items, 5, DIMS);
    const before = await ask<{ hash: string }>(`${url}/v1/state/hash`);
    // While the model is copied and made durable, while users are pooled, while shards are built, and when it answers.
    for (const afterMs of [0, 15, 60, 150, 400]) {
      const { url: at } = server as KindredServer;
      const asked = ask(`${at}/v1/generations`, { folder: model }).catch(() => undefined);
      await sleep(afterMs);
      await server?.kill();
      await asked;
      await serve();
    }
    const { url: now } = server as KindredServer;
    await ask(`${now}/v1/generations`, { folder: model });
    await active(now, 1);
    const verified = await ask<{ ok: boolean }>(`${now}/v1/admin/state/verify`, {});
    const after = await ask<{ hash: string }>(`${now}/v1/state/hash`);
    expect([verified.ok, after.hash]).toEqual([true, before.hash]);
    await server?.stop();
    // Folded anew, with the catalogues of then.
    await rm(join(data, "state"), { recursive: true });
    expect((await kindredJson<{ hash: string }>(["state", "hash", "--data-dir", data])).hash).toBe(before.hash);
  }, 120_000);

  it("works without a server: published, pooled and saved when the command ends, gone back from, given up", async () => {
    const file = join(directory.path, "none");
    const model = await randomModel(directory.path, items, 6, DIMS);
    expect((await kindred(["publish", model, "--data-dir", file])).code).toBe(2);
    const url = await serve();
    await sendAll(url);
    await server?.stop();
    const published = await kindredJson<{ id: number; generations: Live }>(["publish", model, "--data-dir", data]);
    expect([published.id, published.generations.active]).toEqual([1, 1]);
    expect((await kindred(["publish", join(directory.path, "nothing"), "--data-dir", data])).stderr).toContain("MODEL_INVALID");
    const again = await serve();
    expect((await ask<Answer>(`${again}/v1/recall/u2i?user=${users[0]}`)).generation).toBe(1);
    await server?.stop();
    expect((await kindredJson<Live>(["rollback", "--data-dir", data])).active).toBe(0);
    expect((await kindredJson<Live>(["generations", "retire", "1", "--data-dir", data])).generations.map(({ id }) => id)).toEqual([0]);
    expect((await kindred(["rollback", "--data-dir", data])).stderr).toContain("UNKNOWN_GENERATION");
    expect((await kindred(["generations", "--data-dir", data])).stdout).toMatch(/^\* 0 {2}random-indexing/);
  }, 120_000);
});

/** What shows that an answer is not what its generation alone would give; undefined: nothing. */
function faultOf(scenario: string, { generation, rung, degraded, results }: Answer): string | undefined {
  if (results.length === 0 || degraded) return `${results.length} results of generation ${generation}, degraded: ${degraded}`;
  const scores = results.map(({ score }) => score);
  for (const { score, explanation } of results) {
    if (explanation === undefined) continue;
    const sum = explanation.items.reduce((all, { contribution }) => all + contribution, explanation.other);
    if (Math.abs(sum - score) > 1e-4) return `explained ${sum}, scored ${score}`;
  }
  if (generation === 0) {
    if (scenario === "u2i") return rung === "vector" ? "items by vector, of generation 0" : undefined;
    return scores.every((score) => Math.abs(score - 1) < 1e-6) ? "everybody is alike, in generation 0" : undefined;
  }
  if (generation !== 1) return `generation ${generation}`;
  if (rung !== "vector" && rung !== "session") return `on the rung ${rung}, in generation 1`;
  if (scenario === "u2u") return scores.every((score) => Math.abs(score - 1) < 1e-5) ? undefined : `not alike in generation 1: ${scores}`;
  const strange = results.find(({ id, score }) => Math.abs(score - (liking.get(id) ?? 0)) > 1e-4);
  if (strange) return `${strange.id} has ${strange.score}, its own is ${liking.get(strange.id)}`;
  return scores.every((score, i) => i === 0 || score <= (scores[i - 1] as number) + 1e-6) ? undefined : "not in order";
}
