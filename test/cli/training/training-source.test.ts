import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Reading } from "../../../cli/files/event-file.js";
import { type EventSource, setOfFiles, setOfLog, setOfSplit, setOfState } from "../../../cli/training/training-source.js";
import { backfillOffline } from "../../../cli/wiring/backfill.js";
import { withUpdater } from "../../../cli/wiring/offline.js";
import { ServerClient } from "../../../cli/wiring/server-client.js";
import type { Config } from "../../../schemas/config.js";
import { buildConfig } from "../../../schemas/config-validation.js";
import type { BehaviourEvent } from "../../../schemas/event.js";
import type { ItemId, UserId } from "../../../schemas/ids.js";
import type { TrainingSet } from "../../../schemas/model.js";
import { KindredServer } from "../../harness/kindred-process.js";

const never = new AbortController().signal;
const map = { columns: {}, constants: {} };

/** Who has what, with weight and time, in no order. */
function contents({ histories, weights, times }: TrainingSet): Map<string, readonly [number, number]> {
  const all = new Map<string, readonly [number, number]>();
  for (const [u, user] of histories.users.entries())
    for (let at = histories.starts[u]!; at < histories.starts[u + 1]!; at++)
      all.set(`${user} ${histories.items[histories.rows[at]!]}`, [weights?.[at] ?? 1, times?.[at] ?? 0]);
  return all;
}

describe("what a model is trained on", () => {
  let directory = "";
  let config: Config;
  let source: EventSource;
  let rejected: string[] = [];
  const reading: Reading = {
    signal: never,
    onProgress: () => undefined,
    onRejected: (code, _, where) => void rejected.push(`${code} ${where.split("/").at(-1)}`),
  };
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kindred-training-source-"));
    rejected = [];
    const dataDir = join(directory, "data");
    // Without decay a profile's weights are sums.
    const values = { dataDir, generation0: { dims: 16 }, fold: { halfLifeDays: 0 }, logging: { level: "error" } };
    config = buildConfig([{ values, where: () => "test" }]);
    const actions = ["play", "like", "skip", "dislike"];
    const lines = Array.from({ length: 3000 }, (_, i) => `u${i % 50},song:${(i * 7) % 23},${actions[(i * i) % 4]},${1_700_000_000 + i}`);
    const path = file("plays.csv", `user,item,action,ts\r\n${lines.join("\r\n")}\r\nbroken,,play,1\r\n"u é,1",song:ü,like,1700000000\r\n`);
    source = { paths: [path], map };
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("is the same from files, the journal, the state of a directory and a running server", async () => {
    const files = await setOfFiles(config, source, undefined, reading);
    expect(files).toMatchObject({ events: 3001, rejected: 1 });
    expect(rejected).toEqual([expect.stringMatching(/^EVENT_ITEM plays.csv line 3002$/)]);
    const wanted = contents(files.set);
    expect(wanted.get("u é,1 song:ü")).toEqual([expect.any(Number), 1_700_000_000_000]);
    expect([...wanted.values()].every(([weight]) => weight > 0)).toBe(true);
    await backfillOffline(config, { path: source.paths[0]!, format: "csv", map, again: false }, never, () => undefined);
    expect(contents((await setOfState(config, undefined, reading)).set)).toEqual(wanted);
    const log = await setOfLog(config, reading);
    expect(log).toMatchObject({ events: 3001, rejected: 0 });
    expect(contents(log.set)).toEqual(wanted);
    const env = { KINDRED_FOLD__HALF_LIFE_DAYS: "0", KINDRED_GENERATION0__DIMS: "16" };
    const server = await KindredServer.start(config.dataDir, { env });
    try {
      const info = { item: "song:1", type: "ballad", tags: ["calm"] };
      const client = new ServerClient(server.url);
      await client.post("/v1/items", { items: [info] });
      const { set } = await setOfState(config, client, reading);
      expect(contents(set)).toEqual(wanted);
      expect([...set.infos!.values()]).toEqual([info]);
    } finally {
      await server.stop();
    }
  });

  it("leaves out who was erased, of the journal too", async () => {
    await backfillOffline(config, { path: source.paths[0]!, format: "csv", map, again: false }, never, () => undefined);
    await withUpdater(config, { signal: never, create: true, index: false }, async (updater) => {
      await updater.intake.erase("u7" as UserId, 1_800_000_000_000);
      // What is sent again from before is not folded, and not learned from.
      await updater.intake.append([{ user: "u7", item: "song:again", action: "like", ts: 1_700_000_000_000 } as BehaviourEvent]);
      await updater.drained();
    });
    for (const { set } of [await setOfState(config, undefined, reading), await setOfLog(config, reading)]) {
      const who = new Set([...contents(set).keys()].map((key) => key.split(" ")[0]));
      expect([who.has("u7"), who.has("u8")]).toEqual([false, true]);
      expect(set.histories.users).not.toContain("u7");
    }
  });

  it("takes only the time that is asked for, and several files together", async () => {
    const second = file("more.ndjson", '{"user":"x","item":"song:99","ts":1700000000}\n{"user":"x"}\n');
    const all = { ...source, paths: [...source.paths, second] };
    const read = await setOfFiles(config, { ...all, since: 1_700_001_000_000, until: 1_700_002_000_000 }, undefined, reading);
    expect(read).toMatchObject({ events: 1000, rejected: 2 });
    expect((await setOfFiles(config, all, undefined, reading)).set.histories.users).toContain("x");
  });

  it("knows actions, scenes, types and side information where they are given", async () => {
    const events = [
      { user: "u", item: "a", action: "like", ts: 1, scene: "live", type: "song" },
      { user: "u", item: "a", action: "play", ts: 2 },
      { user: "u", item: "b", action: "play", ts: 3 },
    ];
    const path = file("events.ndjson", events.map((event) => JSON.stringify(event)).join("\n"));
    const items = file("items.csv", "item,type,creators,tags\nb,podcast,ann,talk\nb,podcast,bob,talk\nz,song,,\nbad,\n");
    const { set, rejected: count } = await setOfFiles(config, { paths: [path], map, tsUnit: "ms" }, { path: items, map }, reading);
    expect(set).toMatchObject({ actionNames: ["like", "play"], sceneNames: ["live"] });
    expect([[...set.actions!], [...set.scenes!], [...set.times!]]).toEqual([
      [3, 2],
      [1, 0],
      [2, 3],
    ]);
    expect(set.infos!.get("a" as ItemId)).toEqual({ item: "a", type: "song" });
    expect(set.infos!.get("b" as ItemId)).toMatchObject({ type: "podcast", creators: ["ann", "bob"], tags: ["talk"] });
    expect([[...set.infos!.keys()], count]).toEqual([["a", "b"], 1]);
  });

  it("gives a split file its side information", async () => {
    const split = file("train.txt", "u a b\r\nv b b\r\nw\r\n");
    const items = file("items.ndjson", '{"item":"a","type":"song","creators":["ann"]}\n{"item":"z","type":"song"}\n{}\n');
    const { set, rejected: count } = await setOfSplit(split, { path: items, map }, reading);
    expect([[...set.histories.rows], [...set.infos!.keys()], count]).toEqual([[0, 1, 1], ["a"], 1]);
  });

  it("says what is wrong: nothing but bad lines, no file, nobody, no directory", async () => {
    const bad = file("bad.csv", "user,item,ts\n,a,1\nu,,2\n");
    await expect(setOfFiles(config, { paths: [bad], map }, undefined, reading)).rejects.toMatchObject({ code: "FILE_FORMAT" });
    const none = { paths: [join(directory, "none.csv")], map };
    await expect(setOfFiles(config, none, undefined, reading)).rejects.toMatchObject({ code: "FILE_FORMAT" });
    await expect(setOfState(config, undefined, reading)).rejects.toMatchObject({ code: "USAGE" });
    expect(readdirSync(directory)).not.toContain("data");
    const skips = file("skips.csv", "user,item,action,ts\nu,a,skip,1\n");
    await expect(setOfFiles(config, { paths: [skips], map }, undefined, reading)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
