import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ServerClient } from "../../../cli/server-client.js";
import { type BackfillSource, backfillJournal, backfillOffline, backfillOverHttp } from "../../../cli/wiring/backfill.js";
import { withUpdater } from "../../../cli/wiring/offline.js";
import type { Config } from "../../../schemas/config.js";
import { buildConfig } from "../../../schemas/config-validation.js";
import { KindredError } from "../../../schemas/errors.js";
import type { BehaviourEvent } from "../../../schemas/event.js";
import type { UserId } from "../../../schemas/ids.js";
import { PartitionState } from "../../../state/partition-state.js";

const never = new AbortController().signal;
const ROWS = 12_000;

/** What a server is asked to keep of refused lines. */
const letters: { code: string; origin: string; original: string }[] = [];
async function keepLetters(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { lines } = (await json(request)) as { lines: typeof letters };
  letters.push(...lines);
  response.end(JSON.stringify({ kept: lines.length }));
}

describe("a backfill", () => {
  let directory = "";
  let server: Server | undefined;
  let source: BackfillSource;
  const config = (values: object = {}): Config =>
    buildConfig([
      {
        values: { dataDir: join(directory, "data"), generation0: { dims: 16 }, logging: { level: "error" }, ...values },
        where: () => "test",
      },
    ]);
  const summary = (of: Config) => withUpdater(of, { signal: never, index: false }, async (updater) => updater.owner.summary());

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kindred-backfill-"));
    const path = join(directory, "plays.csv");
    const lines = Array.from({ length: ROWS }, (_, i) => `u${i % 50},song:${(i * 7) % 90},${1_700_000_000 + i}`);
    writeFileSync(path, `user,item,ts\n${lines.join("\n")}\nbroken,,1\n`);
    source = { path, format: "csv", map: { columns: {}, constants: {} }, again: false };
  });
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
    rmSync(directory, { recursive: true, force: true });
  });

  it("into a directory of its own takes a file once, and once more when asked to", async () => {
    const shares: number[] = [];
    const first = await backfillOffline(config(), source, never, (_, share) => shares.push(share));
    expect(first).toMatchObject({ events: ROWS, appended: ROWS, rejected: 1, known: false, done: true });
    expect(shares.at(-1)).toBe(1);
    const { hash } = await summary(config());
    expect(await backfillOffline(config(), source, never, () => undefined)).toMatchObject({
      events: ROWS,
      appended: 0,
      known: true,
      position: first.position,
    });
    expect((await summary(config())).hash).toBe(hash);
    expect(await backfillOffline(config(), { ...source, again: true }, never, () => undefined)).toMatchObject({
      appended: ROWS,
      known: false,
    });
    expect((await summary(config())).hash).not.toBe(hash);
  });

  it("ends with the reason where folding fails while it waits for room", async () => {
    const path = join(directory, "many.csv");
    writeFileSync(path, `user,item,ts\n${"u1,song:1,1700000000\n".repeat(150_000)}`);
    const fold = vi.spyOn(PartitionState.prototype, "fold").mockRejectedValue(new KindredError("STORAGE_FAILED", "no space left"));
    try {
      const backfill = backfillOffline(config({ logging: { level: "silent" } }), { ...source, path }, never, () => undefined);
      await expect(backfill).rejects.toMatchObject({ code: "STORAGE_FAILED", message: "no space left" });
    } finally {
      fold.mockRestore();
    }
  });

  it("takes only what lies in the time asked for", async () => {
    const report = await backfillOffline(
      config(),
      { ...source, since: 1_700_000_100_000, until: 1_700_000_300_000 },
      never,
      () => undefined,
    );
    expect(report.events).toBe(200);
  });

  it("into a shadow folds the journal with today's configuration and leaves the live state alone", async () => {
    await backfillOffline(config(), source, never, () => undefined);
    await withUpdater(config(), { signal: never, create: true }, async (updater) => {
      await updater.intake.erase("u7" as UserId, 1_700_000_000_000 + ROWS * 1000);
      await updater.drained();
    });
    const live = await summary(config());
    const other = config({ fold: { profileItems: 8 } });
    // The payloads of the erased user are gone from the journal.
    expect(await backfillJournal(other, never, () => undefined)).toMatchObject({ events: ROWS - ROWS / 50, done: true });
    const shadow = config({ dataDir: join(directory, "data", "shadow"), fold: { profileItems: 8 } });
    expect(await summary(shadow)).toMatchObject({ rows: live.rows });
    expect((await summary(shadow)).hash).not.toBe(live.hash);
    expect(await summary(config())).toEqual(live);
    expect(await backfillJournal(other, never, () => undefined)).toMatchObject({ appended: 0, done: true });
  });

  it("over HTTP sends all, waits where it is asked to, and goes on where it was cut off", async () => {
    const got: BehaviourEvent[] = [];
    let requests = 0;
    let failAt = 2;
    server = createServer((request, response) => {
      if (request.method === "GET") return void response.end('{"position":"k1-0.5"}');
      if (request.url === "/v1/admin/dead-letters") return void keepLetters(request, response);
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        requests++;
        if (requests === 1) return void response.writeHead(503, { "retry-after": "0" }).end('{"code":"OVERLOADED"}');
        if (requests === failAt + 1) return void response.writeHead(500).end('{"code":"INTERNAL"}');
        const { events } = JSON.parse(body) as { events: BehaviourEvent[] };
        got.push(...events);
        response.end(JSON.stringify({ accepted: events.length, rejected: [], position: `k1-0.${got.length.toString(36)}` }));
      });
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    const client = new ServerClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const send = () => backfillOverHttp(config(), client, source, never, () => undefined, true);
    await expect(send()).rejects.toMatchObject({ code: "INTERNAL" });
    expect(got.length).toBe(5_000);
    failAt = 1_000;
    expect(await send()).toMatchObject({ events: ROWS, appended: ROWS - 5_000, rejected: 1, known: false, done: true });
    expect(got.map(({ user, item }) => `${user} ${item}`)).toEqual(
      Array.from({ length: ROWS }, (_, i) => `u${i % 50} song:${(i * 7) % 90}`),
    );
    expect(await send()).toMatchObject({ appended: 0, known: true });
    expect(got.length).toBe(ROWS);
    expect(letters).toMatchObject([{ code: "EVENT_ITEM", origin: expect.stringMatching(/line 12002$/), original: "broken,,1" }]);
  });

  it.each([
    [1_000, { server: { maxEventsPerRequest: 1_000 } }, 1_000, 0],
    [700, {}, 625, 3],
  ])("over HTTP keeps to a server that takes %i events a request", async (most, values, largest, refusals) => {
    const sizes: number[] = [];
    let refused = 0;
    server = createServer(async (request, response) => {
      if (request.method === "GET") return void response.end('{"position":"k1-0.5"}');
      if (request.url === "/v1/admin/dead-letters") return void keepLetters(request, response);
      let body = "";
      for await (const chunk of request) body += chunk;
      const { length } = (JSON.parse(body) as { events: BehaviourEvent[] }).events;
      if (length > most) {
        refused++;
        return void response.writeHead(413).end('{"code":"TOO_MANY_EVENTS"}');
      }
      sizes.push(length);
      response.end(JSON.stringify({ accepted: length, rejected: [], position: "k1-0.5" }));
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    const client = new ServerClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const report = await backfillOverHttp(config(values), client, source, never, () => undefined, false);
    expect(report).toMatchObject({ events: ROWS, rejected: 1, done: true });
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(ROWS);
    expect([Math.max(...sizes), refused]).toEqual([largest, refusals]);
  });

  it("over HTTP gives up on a single event that is too large for the server", async () => {
    server = createServer((request, response) => {
      if (request.method === "GET") return void response.end('{"position":"k1-0.5"}');
      if (request.url === "/v1/admin/dead-letters") return void keepLetters(request, response);
      request.resume().on("end", () => response.writeHead(413).end("of a proxy"));
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    const client = new ServerClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await expect(backfillOverHttp(config(), client, source, never, () => undefined, false)).rejects.toMatchObject({
      code: "BODY_TOO_LARGE",
    });
  });
});
