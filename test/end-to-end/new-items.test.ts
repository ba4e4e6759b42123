import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ItemInfo } from "../../schemas/item.js";
import { generateTown } from "../../town/town.js";
import { townHistory } from "../../town/town-events.js";
import { KindredServer, kindredJson, sleep, temporaryDirectory } from "../harness/kindred-process.js";

const NOW = Date.UTC(2026, 0, 1);
const town = generateTown({ seed: 6, listeners: 400 });
const past = [...townHistory(town, { seed: 6, endTs: NOW, spanMs: 30 * 86_400_000, eventsEach: 40 })];
/** A song of an artist with others, as people know them. */
const counts = new Map<string, number>();
for (const { creators = [], item } of town.items)
  if (item.startsWith("song:")) for (const one of creators) counts.set(one, (counts.get(one) ?? 0) + 1);
const [artist] = [...counts].sort(([, a], [, b]) => b - a)[0]!;
const like = town.items.find(({ creators }) => creators?.includes(artist)) as ItemInfo;
const heard = new Set(past.map(({ item }) => item as string));

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let server: KindredServer | undefined;
beforeEach(async () => {
  directory = await temporaryDirectory("new-items");
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
  await directory.remove();
});

interface Found {
  readonly results: readonly { readonly id: string }[];
  readonly rung?: string;
}

const get = async (path: string): Promise<Found> => {
  const answer = await fetch(`${server?.url}${path}`);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Found;
};
const post = async (path: string, body: unknown): Promise<void> => {
  const headers = { "content-type": "application/json" };
  expect((await fetch(`${server?.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) })).ok).toBe(true);
};
/** Neighbours by the model: co-occurrence finds nothing for what nobody has. */
async function neighboursOf(item: string): Promise<string[]> {
  for (let tries = 0; tries < 50; tries++) {
    const { results } = await get(`/v1/items/${encodeURIComponent(item)}/neighbors?limit=20`);
    if (results.length > 0) return results.map(({ id }) => id);
    await sleep(200);
  }
  return [];
}

it("a song that came after the model is near those of its artist, and found by who goes with its listeners; also after a restart", async () => {
  const [data, model] = [join(directory.path, "data"), join(directory.path, "model")];
  const [events, items] = [join(directory.path, "past.ndjson"), join(directory.path, "items.ndjson")];
  await writeFile(events, past.map((event) => `${JSON.stringify(event)}\n`).join(""));
  await writeFile(items, town.items.map((info) => `${JSON.stringify(info)}\n`).join(""));
  await kindredJson(["items", "import", "--from", items, "--data-dir", data]);
  await kindredJson(["replay", "--from", events, "--data-dir", data]);
  await kindredJson(["train", "item2vec", "--data-dir", data, "--out", model, "--dims", "16", "--threads", "1"]);
  server = await KindredServer.start(data);
  await kindredJson(["publish", model, "--wait", "--data-dir", data]);

  // Whoever did something is answered by the model, with as many as were asked for.
  for (const { user } of town.listeners.slice(0, 30)) {
    const { rung, results } = await get(`/v1/recall/u2i?user=${user}&limit=20`);
    expect([user, rung, results.length]).toEqual([user, "vector", 20]);
  }

  const info = { item: "song:brand-new", type: "song", title: "New", creators: [artist], tags: like.tags };
  await post("/v1/items", { items: [info] });
  const near = await neighboursOf("song:brand-new");
  const same = near.filter((id) => town.items.find(({ item }) => item === id)?.creators?.includes(artist));
  // By chance 20 of so many songs are hardly ever of one artist.
  expect(same.length).toBeGreaterThanOrEqual(2);
  expect(near.every((id) => heard.has(id))).toBe(true);

  // Who has heard most of that artist goes with it, and has not heard it.
  const own = new Map<string, number>();
  for (const { user, item } of past)
    if (town.items.find((one) => one.item === item)?.creators?.includes(artist)) own.set(user, (own.get(user) ?? 0) + 1);
  const fans = [...own].sort(([, a], [, b]) => b - a).map(([user]) => user);
  const listeners = fans.slice(1, 5);
  await post("/v1/events", {
    events: listeners.map((user, i) => ({ user, item: "song:brand-new", action: "like", ts: NOW + i, id: `new${i}` })),
  });
  const finds = async (): Promise<boolean> => {
    const { results } = await get(`/v1/recall/u2i?user=${fans[0]}&limit=100`);
    return results.some(({ id }) => id === "song:brand-new");
  };
  await expect.poll(finds, { timeout: 15_000, interval: 300 }).toBe(true);

  await server.stop();
  server = await KindredServer.start(data);
  await expect.poll(finds, { timeout: 15_000, interval: 300 }).toBe(true);
}, 120_000);
