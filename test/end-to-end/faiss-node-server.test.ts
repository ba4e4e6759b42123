import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KindredServer, sleep, temporaryDirectory } from "../harness/kindred-process.js";

interface RecallAnswer {
  readonly rung: string;
  readonly fresh: boolean;
  readonly results: readonly { readonly id: string; readonly score: number }[];
}

const NOW = Date.now();
const TASTES = 40;
const LISTENERS = 2_000;
const play = (user: string, item: string, minutesAgo = 60): object => ({ user, item, action: "play", ts: NOW - minutesAgo * 60_000 });
/** Listener n of taste n % 40 plays 6 of its 20 songs and 2 of another taste. */
const listener = (n: number): object[] =>
  Array.from({ length: 8 }, (_, i) => play(`listener-${n}`, `song:${(n + (i > 5 ? n % 7 : 0)) % TASTES}-${(n * 3 + i * 5) % 20}`, 60 + i));

/** Graphs are walked from 1,200 rows on, narrowly; whatever their recall. */
const ENV = {
  KINDRED_INDEX__ENGINE: "faiss-node",
  KINDRED_INDEX__MIN_GRAPH_ROWS: "1200",
  KINDRED_INDEX__EF: "10",
  KINDRED_INDEX__VERIFY_RECALL: "0",
};

describe("a server whose index.engine is faiss-node", () => {
  let directory: { path: string; remove(): Promise<void> };
  let server: KindredServer;

  const post = async (events: readonly object[]): Promise<string> => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${server.url}/v1/events`, { method: "POST", headers, body: JSON.stringify({ events }) });
    expect(response.status).toBe(202);
    return ((await response.json()) as { position: string }).position;
  };
  const u2u = async (query: string): Promise<RecallAnswer> =>
    (await (await fetch(`${server.url}/v1/recall/u2u?${query}`)).json()) as RecallAnswer;
  /** Until the log says that the graph has everyone who was due. */
  const placed = async (): Promise<void> => {
    for (let tries = 0; !server.logText.includes("the graph of faiss-node has who was due"); tries++) {
      expect(tries, server.logText).toBeLessThan(300);
      await sleep(100);
    }
  };

  beforeAll(async () => {
    directory = await temporaryDirectory("faiss-node");
    server = await KindredServer.start(directory.path, { env: ENV });
    for (let n = 0; n < LISTENERS; n += 500) await post(Array.from({ length: 500 }, (_, i) => listener(n + i)).flat());
    await placed();
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    await directory.remove();
  });

  it("finds by vector who just did the same, in the answer that waited for it", async () => {
    await post(Array.from({ length: 5 }, (_, i) => play("yvonne", `song:only-here-${i}`, 3)));
    for (let round = 0; round < 20; round++) {
      const position = await post(Array.from({ length: 5 }, (_, i) => play(`xaver-${round}`, `song:only-here-${i}`, 2)));
      const answer = await u2u(`user=xaver-${round}&limit=5&after=${position}`);
      expect([answer.fresh, answer.rung]).toEqual([true, "vector"]);
      expect(answer.results[0]?.score).toBeCloseTo(1, 4);
      expect(answer.results[0]?.id).toMatch(/^(yvonne|xaver-\d+)$/);
    }
    expect((await u2u("user=yvonne&limit=21")).results.filter(({ id }) => id.startsWith("xaver-")).length).toBe(20);
  });

  it("answers from the graph mostly with people of one's own taste", async () => {
    let own = 0;
    for (let n = 0; n < 40; n++)
      own += (await u2u(`user=listener-${n}&limit=10`)).results.filter(({ id }) => Number(id.split("-")[1]) % TASTES === n % TASTES).length;
    expect(own / 400).toBeGreaterThan(0.8);
  });

  it("forgets an erased user from the next answer on, also after a kill", async () => {
    const position = await post([...listener(3), ...listener(3)].map((event) => ({ ...event, user: "leaving" })));
    const before = await u2u(`user=listener-3&limit=50&after=${position}`);
    expect(before.results.some(({ id }) => id === "leaving")).toBe(true);
    const receipt = await fetch(`${server.url}/v1/users/leaving`, { method: "DELETE" });
    expect(receipt.status).toBe(200);
    const gone = async (): Promise<void> => {
      expect((await u2u("user=listener-3&limit=50")).results.some(({ id }) => id === "leaving")).toBe(false);
      expect((await fetch(`${server.url}/v1/users/leaving`)).status).toBe(404);
    };
    await gone();
    await server.kill();
    server = await KindredServer.start(directory.path, { env: ENV });
    await gone();
    await placed();
    await gone();
  }, 60_000);

  it("answers the same after a clean stop, from the saved vectors and a graph made anew, and as the exact engine does", async () => {
    const ask = async (): Promise<number[]> => (await u2u("user=listener-7&limit=10")).results.map(({ score }) => Math.round(score * 1e5));
    const before = await ask();
    expect(await server.stop()).toBe(0);
    server = await KindredServer.start(directory.path, { env: { KINDRED_INDEX__ENGINE: "exact" } });
    const exact = await ask();
    const good = (scores: number[]): number => scores.filter((score) => score >= (exact.at(-1) ?? 1)).length;
    expect(good(before)).toBeGreaterThanOrEqual(8);
    await server.stop();
    server = await KindredServer.start(directory.path, { env: ENV });
    expect(good(await ask())).toBeGreaterThanOrEqual(8);
    expect(server.logText).toContain("the saved index is reopened");
    await placed();
    expect(good(await ask())).toBeGreaterThanOrEqual(8);
  }, 60_000);
});
