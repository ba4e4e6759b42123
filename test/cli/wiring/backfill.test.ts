import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyReply, FastifyRequest } from "fastify";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type BackfillSource, backfillJournal, backfillOffline, backfillSlices } from "../../../cli/wiring/backfill.js";
import { serverTarget } from "../../../cli/wiring/file-sender.js";
import { withUpdater } from "../../../cli/wiring/offline.js";
import { ServerClient } from "../../../cli/wiring/server-client.js";
import type { Config } from "../../../schemas/config.js";
import { buildConfig } from "../../../schemas/config-validation.js";
import { KindredError } from "../../../schemas/errors.js";
import type { UserId } from "../../../schemas/ids.js";
import { PartitionState } from "../../../state/partition-state.js";
import { Journal } from "../../../streams/journal/journal.js";
import { JournalDeadLetters } from "../../../streams/journal/journal-dead-letters.js";
import { JournalFiles } from "../../../streams/journal/journal-files.js";
import { testServer } from "../../api/test-server.js";
import { MemoryStore } from "../../harness/memory-store.js";
import { NodeCipher } from "../../harness/node-cipher.js";
import { itemsOf, readAll } from "../../streams/journal-fixtures.js";

const never = new AbortController().signal;
const ROWS = 12_000;

describe("a backfill", () => {
  let directory = "";
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

  /** The HTTP side over a journal in memory; `fault` may answer for it. */
  async function fileServer(fault: (n: number, request: FastifyRequest, reply: FastifyReply) => void = () => {}, maxEvents = 5_000) {
    const journal = await Journal.open(new MemoryStore(), new NodeCipher());
    const server = testServer({ files: new JournalFiles(journal), settings: { maxEvents } });
    const sizes: number[] = [];
    let n = 0;
    server.api.addHook("preHandler", async (request, reply) => {
      if (request.method !== "POST") return;
      fault(++n, request, reply);
      if (!reply.sent) sizes.push((request.body as { rows: number }).rows);
    });
    let url: string | undefined;
    const send = async (values: object = {}, of: Partial<BackfillSource> = {}) => {
      url ??= await server.api.listen({ host: "127.0.0.1", port: 0 });
      return backfillSlices(config(values), serverTarget(new ServerClient(url)), { ...source, ...of }, never, () => undefined);
    };
    const items = async () => itemsOf(await readAll(journal.reader()));
    const letters = new JournalDeadLetters(journal, () => ({ actions: new Set(), latestTs: 0 }));
    return { api: server.api, send, items, sizes, letters, requests: () => n };
  }
  const all = Array.from({ length: ROWS }, (_, i) => `song:${(i * 7) % 90}`);

  it("over HTTP sends all, waits where it is asked to, and goes on where it was cut off", async () => {
    let failAt = 3;
    const { send, items, letters } = await fileServer((n, _, reply) => {
      if (n === 1) reply.code(503).header("retry-after", "0").send({ code: "OVERLOADED" });
      if (n === failAt) reply.code(500).send({ code: "INTERNAL" });
    });
    await expect(send()).rejects.toMatchObject({ code: "INTERNAL" });
    expect(await items()).toHaveLength(5_000);
    failAt = 0;
    expect(await send()).toMatchObject({ events: ROWS, appended: ROWS - 5_000, rejected: 1, known: false, done: true });
    expect(await items()).toEqual(all);
    expect(await send()).toMatchObject({ events: ROWS, appended: 0, known: true });
    expect(await items()).toHaveLength(ROWS);
    expect(await letters.list({ limit: 9 })).toMatchObject([
      { code: "EVENT_ITEM", origin: expect.stringMatching(/line 12002$/), original: "broken,,1" },
    ]);
    expect(await send({}, { again: true })).toMatchObject({ events: ROWS, appended: ROWS, known: false });
    expect(await items()).toHaveLength(2 * ROWS);
  });

  it("over HTTP lets events happen as they did, a few together and the last of them too", async () => {
    const { send, items, sizes } = await fileServer();
    expect(await send({}, { speed: 1e9 })).toMatchObject({ events: ROWS, done: true });
    expect(Math.max(...sizes)).toBeLessThanOrEqual(64);
    expect(await items()).toEqual(all);
  });

  it("over HTTP sends no row twice whose answer never arrived", async () => {
    const { api, send, items, requests } = await fileServer();
    // Taken, and then nothing is heard of it: as where the sender is killed.
    api.addHook("onSend", async ({ method, raw }) => {
      if (method === "POST" && requests() <= 2) raw.socket.destroy();
    });
    for (let i = 0; i < 2; i++) await expect(send()).rejects.toMatchObject({ code: "NOT_READY" });
    expect(await send()).toMatchObject({ events: ROWS, appended: ROWS - 10_000, done: true });
    expect(await items()).toEqual(all);
  });

  it("over HTTP passes over rows that another sender of the same file was quicker with", async () => {
    const { send, items } = await fileServer();
    const reports = await Promise.all([
      send(),
      send({ server: { maxEventsPerRequest: 700 } }),
      send({ server: { maxEventsPerRequest: 1_900 } }),
    ]);
    for (const report of reports) expect(report).toMatchObject({ events: ROWS, rejected: 1, done: true });
    expect(reports.reduce((sum, { appended }) => sum + appended, 0)).toBe(ROWS);
    expect(await items()).toEqual(all);
  });

  it.each([
    [1_000, { server: { maxEventsPerRequest: 1_000 } }, 1_000, 0],
    [700, {}, 625, 3],
  ])("over HTTP keeps to a server that takes %i events a request", async (most, values, largest, refusals) => {
    const { send, items, sizes, requests } = await fileServer(() => {}, most);
    expect(await send(values)).toMatchObject({ events: ROWS, rejected: 1, done: true });
    expect(await items()).toEqual(all);
    const taken = sizes.filter((size) => size <= most);
    expect([Math.max(...taken), requests() - taken.length]).toEqual([largest, refusals]);
  });

  it("over HTTP gives up on a single row that is too large for the server", async () => {
    const { send, items } = await fileServer((_, __, reply) => reply.code(413).send("of a proxy"));
    await expect(send()).rejects.toMatchObject({ code: "BODY_TOO_LARGE" });
    expect(await items()).toEqual([]);
  });
});
