import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BehaviourEvent } from "../../schemas/event.js";
import { generateTown } from "../../town/town.js";
import { townHistory } from "../../town/town-events.js";
import { KindredServer, kindredJson, sleep, temporaryDirectory } from "../harness/kindred-process.js";
import { runCommand } from "../harness/run-command.js";

const NOW = Date.UTC(2026, 0, 1);
const SPAN = 30 * 86_400_000;
const town = generateTown({ seed: 4, listeners: 400 });
const past = [...townHistory(town, { seed: 4, endTs: NOW, spanMs: SPAN, eventsEach: 40 })];
const later = [...townHistory(town, { seed: 5, endTs: NOW + SPAN, spanMs: SPAN, eventsEach: 3 })];
const KIND = ["--kind", "item2vec", "--dims", "16", "--threads", "1"];

interface Outcome {
  readonly published: number | null;
  readonly why: string;
  readonly drift: number | null;
  readonly gate?: { readonly candidate: number; readonly base: number; readonly against: string };
}

describe("kindred retrain", () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let data = "";
  beforeEach(async () => {
    directory = await temporaryDirectory("retrain");
    data = join(directory.path, "data");
  });
  afterEach(() => directory.remove());

  const replay = async (name: string, events: readonly BehaviourEvent[]): Promise<void> => {
    const file = join(directory.path, `${name}.ndjson`);
    await writeFile(file, events.map((event) => `${JSON.stringify(event)}\n`).join(""));
    await kindredJson(["replay", "--from", file, "--data-dir", data]);
  };
  const retrain = async (...args: string[]): Promise<Outcome> => {
    const { code, out, err } = await runCommand(["retrain", "--data-dir", data, "--log-level", "silent", ...KIND, ...args, "--json"]);
    if (code !== 0) throw new Error(err);
    return JSON.parse(out) as Outcome;
  };
  const live = async (): Promise<{ active: number; previous: number | null; generations: { id: number }[] }> =>
    kindredJson(["generations", "--data-dir", data, "--log-level", "silent"]);

  it("publishes what finds the newest events, and nothing where little is new, the data are the same or too few can judge", async () => {
    await replay("past", past);
    const tried = await retrain("--dry-run");
    expect(tried).toMatchObject({ published: null, drift: null, gate: { against: "popularity" } });
    expect((await live()).active).toBe(0);
    const first = await retrain();
    expect(first).toMatchObject({ published: 1, gate: tried.gate });
    expect(first.gate!.candidate).toBeGreaterThanOrEqual(first.gate!.base);
    expect(await readdir(join(data, "retrained"))).toHaveLength(1);

    expect(await retrain()).toMatchObject({ published: null, why: expect.stringContaining("trained on the same") });
    await replay("later", later);
    const choosy = runCommand(["retrain", "--data-dir", data, "--log-level", "silent", ...KIND], { KINDRED_RETRAIN__LEAST_USERS: "401" });
    expect(await choosy).toMatchObject({ code: 1, err: expect.stringMatching(/INVALID_ARGUMENT.*401 are needed/s) });
    expect(await retrain("--drift", "1")).toMatchObject({ published: null, why: expect.stringContaining("unknown items") });

    const second = await retrain("--tolerance", "1");
    expect(second).toMatchObject({ published: 2, gate: { against: "served" } });
    expect((await live()).generations.map(({ id }) => id)).toEqual([0, 1, 2]);
  });

  it("publishes nothing that finds less than what answers", async () => {
    await replay("past", past);
    const model = join(directory.path, "all-knowing");
    await kindredJson(["train", "item2vec", "--data-dir", data, "--out", model, "--dims", "64", "--threads", "1"]);
    // It has seen the newest, and says that it has not.
    const manifest = JSON.parse(await readFile(join(model, "manifest.json"), "utf8"));
    const data1 = { ...manifest.data, newest: NOW - SPAN };
    await writeFile(join(model, "manifest.json"), `${JSON.stringify({ ...manifest, data: data1 }, null, 2)}\n`);
    await kindredJson(["publish", model, "--data-dir", data]);
    const { code, out } = await runCommand([
      "retrain",
      "--data-dir",
      data,
      "--log-level",
      "silent",
      "--kind",
      "item2vec",
      "--dims",
      "8",
      "--json",
    ]);
    const outcome = JSON.parse(out) as Outcome;
    expect([code, outcome.published, outcome.why]).toEqual([0, null, "it finds less than what answers now"]);
    expect(outcome.gate!.candidate).toBeLessThan(outcome.gate!.base);
    expect((await live()).active).toBe(1);
    expect(existsSync(join(data, "retrained")) ? await readdir(join(data, "retrained")) : []).toEqual([]);
  }, 120_000);

  it("goes on by itself beside a server, one after the other, giving up the oldest that neither answers nor answered before", async () => {
    await replay("past", past);
    const env = {
      KINDRED_RETRAIN__EVERY_HOURS: String(1 / 3_600),
      KINDRED_RETRAIN__KIND: "item2vec",
      KINDRED_RETRAIN__DIMS: "8",
      KINDRED_RETRAIN__LEAST_USERS: "1",
      KINDRED_RETRAIN__TOLERANCE: "1",
    };
    const server = await KindredServer.start(data, { env });
    try {
      let user = 0;
      for (let ts = NOW; ; ts += 60_000) {
        const events = Array.from({ length: 20 }, () => ({
          ...past[(user * 7) % past.length]!,
          user: town.listeners[user++ % 400]!.user,
          ts,
          id: `n${user}`,
        }));
        await fetch(`${server.url}/v1/events`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ events }),
        });
        const { active, previous, generations } = (await (await fetch(`${server.url}/v1/generations`)).json()) as Awaited<
          ReturnType<typeof live>
        >;
        expect(generations.length).toBeLessThanOrEqual(3);
        // A roll-back stays possible.
        if (previous !== null) expect(generations.map(({ id }) => id)).toContain(previous);
        if (active >= 3) break;
        await sleep(200);
      }
      const recall = await fetch(`${server.url}/v1/recall/u2i?user=${town.listeners[0]!.user}`);
      expect(recall.status).toBe(200);
    } finally {
      await server.stop();
    }
  }, 120_000);
});
