import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KindredServer, kindred, kindredJson, sleep, temporaryDirectory } from "../harness/kindred-process.js";

interface RecallAnswer {
  readonly generation: number;
  readonly rung: string;
  readonly fresh: boolean;
  readonly asOf: { readonly position: string };
  readonly results: readonly {
    readonly id: string;
    readonly score: number;
    readonly explanation?: { text: string; items: { contribution: number }[]; other: number };
  }[];
}

const NOW = Date.now();
const TASTES = 12;
const play = (user: string, item: string, minutesAgo = 60): object => ({ user, item, action: "play", ts: NOW - minutesAgo * 60_000 });
/** Listener n of taste t plays 12 of its 20 songs. */
const listener = (n: number): object[] =>
  Array.from({ length: 12 }, (_, i) => play(`listener-${n}`, `song:${n % TASTES}-${(n * 3 + i * 5) % 20}`, 60 + i));

describe("the loop in one process: behaviour in, neighbours out", () => {
  let directory: { path: string; remove(): Promise<void> };
  let server: KindredServer;

  const post = async (events: readonly object[]): Promise<string> => {
    const response = await fetch(`${server.url}/v1/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ events }),
    });
    expect(response.status).toBe(202);
    return ((await response.json()) as { position: string }).position;
  };
  const ask = async <T = RecallAnswer>(path: string): Promise<T> => (await (await fetch(`${server.url}${path}`)).json()) as T;

  beforeAll(async () => {
    directory = await temporaryDirectory("loop");
    server = await KindredServer.start(directory.path);
    const position = await post(
      Array.from({ length: 400 }, (_, n) => listener(n))
        .flat()
        .slice(0, 4800),
    );
    await ask(`/v1/recall/u2u?user=listener-1&after=${position}&waitMs=5000`);
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    await directory.remove();
  });

  it("finds neighbours who share what a new user just did, in the answer that waited for it", async () => {
    const position = await post(Array.from({ length: 8 }, (_, i) => play("newcomer", `song:5-${i * 2}`, 1)));
    const answer = await ask(`/v1/recall/u2u?user=newcomer&limit=10&after=${position}&explain=true`);
    expect(answer.fresh).toBe(true);
    expect(answer.rung).toBe("vector");
    const ofThisTaste = answer.results.filter(({ id }) => Number(id.split("-")[1]) % TASTES === 5);
    expect(ofThisTaste.length).toBeGreaterThanOrEqual(8);
    for (const { score, explanation } of answer.results) {
      const sum = (explanation?.items ?? []).reduce((total, { contribution }) => total + contribution, explanation?.other ?? Number.NaN);
      expect(Math.abs(sum - score)).toBeLessThan(1e-6);
    }
  });

  it("shows an event of X in the answer of Y", async () => {
    await post(Array.from({ length: 5 }, (_, i) => play("yvonne", `song:only-here-${i}`, 3)));
    const position = await post(Array.from({ length: 5 }, (_, i) => play("xaver", `song:only-here-${i}`, 2)));
    const answer = await ask(`/v1/recall/u2u?user=yvonne&limit=5&after=${position}`);
    expect(answer.results[0]?.id).toBe("xaver");
  });

  it("recommends by u2u2i, u2i and i2i what the user's kind plays, and not what the user has", async () => {
    const position = await post(Array.from({ length: 6 }, (_, i) => play("asker", `song:7-${i}`, 1)));
    const own = new Set(Array.from({ length: 6 }, (_, i) => `song:7-${i}`));
    for (const scenario of ["u2u2i", "u2i"]) {
      const { results } = await ask(`/v1/recall/${scenario}?user=asker&limit=10&after=${position}`);
      expect(results.length).toBeGreaterThan(5);
      expect(results.filter(({ id }) => own.has(id))).toEqual([]);
      expect(results.filter(({ id }) => id.startsWith("song:7-")).length, scenario).toBeGreaterThanOrEqual(8);
    }
    const { results } = await ask(`/v1/recall/i2i?item=${encodeURIComponent("song:7-3")}&limit=10`);
    expect(results.filter(({ id }) => id.startsWith("song:7-")).length).toBeGreaterThanOrEqual(8);
    expect(results.some(({ id }) => id === "song:7-3")).toBe(false);
  });

  it("forgets an erased user from the next answer on, also after a restart", async () => {
    const position = await post(Array.from({ length: 5 }, (_, i) => play("leaving", `song:9-${i}`, 1)));
    await ask(`/v1/recall/u2u?user=leaving&after=${position}`);
    const receipt = await fetch(`${server.url}/v1/users/leaving`, { method: "DELETE" });
    expect(receipt.status).toBe(200);
    expect((await fetch(`${server.url}/v1/users/leaving`)).status).toBe(404);
    const near = await ask(`/v1/recall/u2u?user=listener-9&limit=400`);
    expect(near.results.some(({ id }) => id === "leaving")).toBe(false);
    await server.stop();
    server = await KindredServer.start(directory.path);
    expect((await fetch(`${server.url}/v1/users/leaving`)).status).toBe(404);
  }, 60_000);

  it("answers the same after a clean stop and after a restart without its saved index", async () => {
    const before = byScore(await ask("/v1/recall/u2u?user=listener-3&limit=20"));
    await server.stop();
    server = await KindredServer.start(directory.path);
    expect(byScore(await ask("/v1/recall/u2u?user=listener-3&limit=20"))).toEqual(before);
    await server.stop();
    for (const name of await filesBelow(join(directory.path, "index"))) {
      const bytes = await readFile(name);
      bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 0xff;
      await writeFile(name, bytes);
    }
    server = await KindredServer.start(directory.path);
    expect(byScore(await ask("/v1/recall/u2u?user=listener-3&limit=20"))).toEqual(before);
  }, 90_000);

  it("refuses a data directory in use by name, and serves on", async () => {
    const second = await kindred(["serve", "--port", "0", "--data-dir", directory.path]);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain("DIRECTORY_IN_USE");
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  it("lets a command on the directory in use talk to its server", async () => {
    const live = await kindredJson<{ hash: string; rows: number }>(["state", "hash", "--data-dir", directory.path]);
    expect(await ask<{ hash: string }>("/v1/state/hash")).toMatchObject({ hash: live.hash, rows: live.rows });
    const file = join(directory.path, "more.ndjson");
    await writeFile(
      file,
      `${[play("from-file", "song:1-1"), play("from-file", "song:1-2")].map((event) => JSON.stringify(event)).join("\n")}\n{"user":"half`,
    );
    const report = await kindredJson<{ events: number; rejected: number; position: string }>([
      "replay",
      "--from",
      file,
      "--format",
      "ndjson",
      "--data-dir",
      directory.path,
    ]);
    expect(report).toMatchObject({ events: 2, rejected: 1 });
    const { deadLetters } = await ask<{ deadLetters: { code: string; origin: string; original: string }[] }>("/v1/admin/dead-letters");
    expect(deadLetters).toMatchObject([{ code: "FILE_TRUNCATED", origin: expect.stringMatching(/line 3$/), original: '{"user":"half' }]);
    await ask(`/v1/recall/u2u?user=from-file&after=${report.position}&waitMs=2000`);
    expect(await ask<{ events: number }>("/v1/users/from-file")).toMatchObject({ events: 2 });
  }, 30_000);

  it("ends cleanly on SIGTERM and SIGINT", async () => {
    await sleep(50);
    expect(await server.stop()).toBe(0);
    server = await KindredServer.start(directory.path);
    expect(await new Promise((resolve) => server.child.once("exit", resolve).kill("SIGINT"))).toBe(0);
    server = await KindredServer.start(directory.path);
  }, 60_000);
});

/** Who has which score. Those who tie with the last are not all in the answer, so only their score counts. */
function byScore({ results }: RecallAnswer): Map<number, string[]> {
  const groups = new Map<number, string[]>();
  for (const { id, score } of results) groups.set(score, [...(groups.get(score) ?? []), id].sort());
  groups.set(results.at(-1)?.score ?? 0, []);
  return groups;
}

describe("commands called wrongly", () => {
  it("end with 2 and name the mistake", async () => {
    for (const args of [["serve", "--no-such-flag"], ["replay"], ["no-such-command"], ["serve", "--port", "http"]]) {
      const { code, stderr } = await kindred(args);
      expect(code, args.join(" ")).toBe(2);
      expect(stderr.length).toBeGreaterThan(10);
    }
  }, 30_000);
});

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
