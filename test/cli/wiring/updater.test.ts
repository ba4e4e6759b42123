import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { handlesOf, OpenedIndex } from "../../../cli/wiring/opened-index.js";
import { Updater, type UpdaterOptions } from "../../../cli/wiring/updater.js";
import { ItemTables } from "../../../models/item-vectors/item-tables.js";
import type { Config } from "../../../schemas/config.js";
import { buildConfig } from "../../../schemas/config-validation.js";
import type { BehaviourEvent } from "../../../schemas/event.js";
import type { CatalogueNumber, ItemId, UserId } from "../../../schemas/ids.js";
import { generateTown } from "../../../town/town.js";
import { townHistory } from "../../../town/town-events.js";
import { randomOf } from "../../index/vector-engine/listeners.js";

const NOW = Date.UTC(2026, 0, 1);
const town = generateTown({ seed: 1, listeners: 120 });
const past = [...townHistory(town, { seed: 1, endTs: NOW, spanMs: 30 * 86_400_000, eventsEach: 25 })];
const someone = town.listeners[0]?.user as UserId;

describe("Updater", () => {
  let dataDir = "";
  let open: Updater[] = [];
  let lines: string[] = [];

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "kindred-updater-"));
    lines = [];
  });
  afterEach(async () => {
    for (const updater of open) await updater.close();
    open = [];
    rmSync(dataDir, { recursive: true, force: true });
  });

  const config = (values: object = {}): Config =>
    buildConfig([{ values: { dataDir, generation0: { dims: 32 }, ...values }, where: () => "test" }]);
  const note = (_: object, message: string): number => lines.push(message);
  const start = async (values: object = {}, options: Partial<UpdaterOptions> = {}): Promise<Updater> => {
    const updater = await Updater.open({ config: config(values), log: { debug: note, info: note, warn: note, error: note }, ...options });
    open.push(updater);
    await updater.start();
    return updater;
  };
  const stop = async (updater: Updater): Promise<void> => {
    open = open.filter((one) => one !== updater);
    await updater.close();
  };
  const neighbors = async (updater: Updater, user: UserId = someone): Promise<[string, number][]> => {
    const { model, serving } = updater.index ?? expect.fail("no index");
    const engine = serving.users;
    const ordinal = model.userOrdinal(user) ?? expect.fail(`${user} is unknown`);
    const { ordinals, scores } = await engine.searchFrom(ordinal, { k: 20, exclude: Uint32Array.of(ordinal) });
    const found = model.userIds(ordinals).map((id, i): [string, number] => [id, scores[i] as number]);
    return found.sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  };

  it("makes what was acknowledged recallable, and tells how far it is", async () => {
    const told: number[] = [];
    const updater = await start({}, { onApplied: (position) => told.push([...position.values()][0] ?? 0) });
    const position = await updater.intake.append(past);
    await updater.drained();
    expect(updater.applied().position).toEqual(position);
    expect(updater.index?.model.applied().position).toEqual(position);
    expect(told.at(-1)).toBe([...position.values()][0]);
    expect(await updater.owner.summary()).toMatchObject({ rows: 120, migrating: false });
    expect(await updater.owner.verify()).toMatchObject({ faultCount: 0 });
    expect(await neighbors(updater)).toHaveLength(20);
    const { events, stateRows, sourceLagEvents } = updater.metrics();
    expect(events).toEqual([{ source: "journal", outcome: "folded", count: past.length }]);
    expect({ stateRows, sourceLagEvents }).toEqual({ stateRows: 120, sourceLagEvents: 0 });
  });

  it("answers the same after a stop, from the saved index, and from the rows where that is damaged or gone", async () => {
    const first = await start();
    await first.intake.append(past);
    await first.drained();
    const [before, { hash }] = [await neighbors(first), await first.owner.summary()];
    await stop(first);

    const reopened = await start();
    expect(lines).toContain("the saved index is reopened");
    expect(await neighbors(reopened)).toEqual(before);
    expect((await reopened.owner.summary()).hash).toBe(hash);
    await stop(reopened);

    for (const file of readdirSync(join(dataDir, "index"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())) {
      const path = join(file.parentPath, file.name);
      const bytes = readFileSync(path);
      bytes.writeUInt8((bytes.readUInt8(bytes.length >> 1) ^ 0xff) & 0xff, bytes.length >> 1);
      writeFileSync(path, bytes);
    }
    const damaged = await start();
    expect(lines).toContain("the saved index cannot be used and is made anew from the rows");
    expect(await neighbors(damaged)).toEqual(before);
    await stop(damaged);

    rmSync(join(dataDir, "index"), { recursive: true });
    expect(await neighbors(await start())).toEqual(before);
  });

  it("searches items by the vectors of a trained model, as they come, after a reopening and from another thread's side", async () => {
    const items = [...new Set(past.map(({ item }) => item)), "song:not-heard-yet" as ItemId];
    const random = randomOf(3);
    const table = (): Float32Array => Float32Array.from({ length: items.length * 32 }, () => random() - 0.5);
    const model = new ItemTables({ items, dims: 32, inputs: table(), outputs: table() });
    const options = { itemVectors: () => model };
    const found = async (updater: Updater): Promise<readonly string[]> => {
      const opened = await OpenedIndex.attach(handlesOf(updater.index ?? expect.fail("no index")), config(), {
        debug: note,
        info: note,
        warn: note,
        error: note,
      });
      const { readModel, space } = opened;
      const { users: engine, items: engines } = space;
      const user = readModel.userOrdinal(someone) ?? expect.fail("unknown");
      const query = engine.vector(user) ?? expect.fail("no vector");
      const { ordinals, scores } = (await engines?.outputs.search(query, { k: 10 })) ?? expect.fail("no items");
      const names = readModel.itemIds(ordinals);
      names.forEach((item, i) => {
        const output = model.outputs?.vector(item) ?? expect.fail("no output");
        expect(scores[i]).toBeCloseTo(
          output.reduce((sum, x, d) => sum + x * query[d]!, 0),
          5,
        );
      });
      const alike = await engines?.alike.searchFrom(ordinals[0]!, { k: 1 });
      expect(alike?.scores[0]).toBeCloseTo(1, 5);
      await opened.close();
      return names;
    };
    const first = await start({}, options);
    await first.intake.append(past);
    await first.drained();
    expect(first.index?.serving.items?.outputs.size).toBe(items.length - 1);
    await first.intake.putItems([{ item: "song:not-heard-yet" as ItemId, type: "song" }]);
    expect(first.index?.serving.items?.outputs.size).toBe(items.length);
    expect(first.index?.shards()).toContainEqual({ shard: "item-outputs-0-0", rows: items.length });
    const before = await found(first);
    await stop(first);
    const reopened = await start({}, options);
    expect(lines).toContain("the saved index is reopened");
    expect(await found(reopened)).toEqual(before);
    await stop(reopened);

    const itemFiles = readdirSync(join(dataDir, "index"), { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && entry.name === "manifest.json" && entry.parentPath.includes("items"),
    );
    expect(itemFiles).toHaveLength(2);
    for (const file of itemFiles) writeFileSync(join(file.parentPath, file.name), "{");
    expect(await found(await start({}, options))).toEqual(before);
    expect(lines).toContain("the saved items cannot be used and are made anew from the model");
  });

  it("catches a saved index up with who changed, came and was erased while there was no index", async () => {
    const first = await start();
    await first.intake.append(past);
    await first.drained();
    await stop(first);
    const blind = await start({}, { index: false });
    const event = (user: string, item: string): BehaviourEvent => ({ user: user as UserId, item: item as ItemId, action: "play", ts: NOW });
    await blind.intake.append([event("newcomer", "song:1"), event("newcomer", "song:2"), event(someone, "song:3")]);
    const gone = town.listeners[1]?.user as UserId;
    await blind.intake.erase(gone, NOW);
    await blind.drained();
    await stop(blind);

    const reopened = await start();
    expect(lines.filter((line) => line === "the saved index is reopened")).toHaveLength(1);
    expect(reopened.index?.model.userOrdinal(gone)).toBeUndefined();
    const caughtUp = [await neighbors(reopened), await neighbors(reopened, "newcomer" as UserId)];
    expect(caughtUp.flat().some(([id]) => id === gone)).toBe(false);
    await stop(reopened);
    rmSync(join(dataDir, "index"), { recursive: true });
    const rebuilt = await start();
    expect([await neighbors(rebuilt), await neighbors(rebuilt, "newcomer" as UserId)]).toEqual(caughtUp);
  });

  it("keeps the configured cap of fingerprint buckets, also where the saved index is reopened, and counts those over it", async () => {
    const same = ["a", "b", "c", "d"].map((user): BehaviourEvent => {
      return { user: user as UserId, item: "song:1" as ItemId, action: "play", ts: NOW };
    });
    const capped = { fingerprint: { bucketCap: 2 } };
    const near = async (updater: Updater) => {
      const { model } = updater.index ?? expect.fail("no index");
      const { ordinals, truncated } = await model.nearFingerprints(model.userOrdinal("a" as UserId) ?? expect.fail("a"), 2, 10);
      return { users: model.userIds(ordinals), truncated };
    };
    const first = await start(capped);
    await first.intake.append(same);
    await first.drained();
    expect(await near(first)).toEqual({ users: ["c", "d"], truncated: true });
    expect(first.metrics().bands).toEqual({ largestBucket: 4, bucketsOverCap: 4, staleEntries: 0 });
    await stop(first);
    const reopened = await start(capped);
    expect(lines).toContain("the saved index is reopened");
    expect(await near(reopened)).toEqual({ users: ["c", "d"], truncated: true });
    await stop(reopened);
    const wider = await start({ fingerprint: { bucketCap: 4 } });
    expect(await near(wider)).toEqual({ users: ["b", "c", "d"], truncated: false });
  });

  it("folds with a changed configuration from its activation on, all rows, and the index with them", async () => {
    const first = await start();
    await first.intake.append(past);
    await first.drained();
    const before = await first.owner.profile(someone);
    await stop(first);

    const changed = await start({ fold: { profileItems: 8 }, generation0: { dims: 64 } });
    await changed.drained();
    expect((await changed.owner.profile(someone))?.items.length).toBeLessThanOrEqual(8);
    expect(before?.items.length).toBeGreaterThan(8);
    expect(changed.index?.serving.users.dims).toBe(64);
    expect((await changed.owner.summary()).migrating).toBe(false);
    expect(await changed.owner.verify()).toMatchObject({ faultCount: 0 });
    expect(await neighbors(changed)).toHaveLength(20);
  });

  it("changes nothing when it only looks, whatever it is configured with", async () => {
    const first = await start();
    await first.intake.append(past.slice(0, 200));
    await first.drained();
    const { hash, position } = await first.owner.summary();
    await stop(first);
    const looking = await start({ fold: { profileItems: 8 } }, { index: false, activate: false });
    expect(await looking.owner.summary()).toMatchObject({ hash, position });
    expect(looking.stores.journal.endOffset).toBe([...position.values()][0]);
  });

  it("makes fingerprints of tags soon after they become known", async () => {
    const updater = await start({ catalogue: { minIntervalMs: 0 } });
    await updater.intake.append(past);
    await updater.drained();
    const keywords = async (): Promise<string[]> => ((await updater.owner.profile(someone))?.keywords ?? []).map(({ keyword }) => keyword);
    const byItem = await keywords();
    await updater.intake.putItems(town.items);
    while ((await updater.owner.summary()).catalogue < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    await updater.drained();
    const byTag = await keywords();
    expect(byTag.length).toBeLessThanOrEqual(5);
    expect(byTag).not.toEqual(byItem);
    const tags = new Set(town.items.flatMap((info) => info.tags ?? []));
    expect(byTag.every((keyword) => tags.has(keyword.replace(/^[a-z]+:/, "")))).toBe(true);
    expect(updater.index?.model.item("song:1" as ItemId)?.infoJson).toContain('"title"');
  });

  it("refuses a directory that is open already", async () => {
    await start();
    await expect(Updater.open({ config: config(), log: { debug: note, info: note, warn: note, error: note } })).rejects.toMatchObject({
      code: "DIRECTORY_IN_USE",
    });
  });

  it("tells when it cannot fold on, refuses to start on such a log, and closes all the same", async () => {
    const failures: unknown[] = [];
    const updater = await start({}, { onFailed: (error) => failures.push(error) });
    await updater.stores.journal.activate(99 as CatalogueNumber);
    await expect(updater.drained()).rejects.toMatchObject({ code: "UNKNOWN_CATALOGUE" });
    expect(failures).toEqual([expect.objectContaining({ code: "UNKNOWN_CATALOGUE" })]);
    await stop(updater);
    await expect(start()).rejects.toMatchObject({ code: "UNKNOWN_CATALOGUE" });
  });

  it("cannot go on after a journal write that failed, and says so", async () => {
    const failures: unknown[] = [];
    const updater = await start({}, { onFailed: (error) => failures.push(error) });
    await updater.intake.append(past.slice(0, 100));
    updater.stores.journal.store.batch = () => Promise.reject(new Error("no space left"));
    await expect(updater.intake.append(past.slice(100, 200))).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    expect(failures).toEqual([expect.objectContaining({ code: "STORAGE_FAILED" })]);
    expect(updater.failed.aborted).toBe(true);
    expect(lines).toContain("the updater cannot go on");
    await expect(updater.drained()).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await stop(updater);
    expect((await start()).stores.journal.endOffset).toBeGreaterThanOrEqual(100);
  });

  it("saves a graph that was swapped when nothing happened any more", async () => {
    const first = await start({ index: { minGraphRows: 100 } });
    await first.intake.append(past);
    await first.drained();
    await first.index?.save();
    await vi.waitFor(() => expect(first.index?.stats().swaps).toBe(1), { timeout: 20_000, interval: 50 });
    await stop(first);
    const again = await start({ index: { minGraphRows: 1_000_000 } });
    expect(again.index?.serving.users.stats().shards).toMatchObject([{ nodes: 120 }]);
  });

  it("tells that the last save failed, and gives the directory free all the same", async () => {
    const updater = await start();
    await updater.intake.append(past.slice(0, 100));
    await updater.drained();
    writeFileSync(join(dataDir, "index"), "");
    await expect(stop(updater)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    rmSync(join(dataDir, "index"));
    expect(await (await start()).owner.summary()).toMatchObject({ migrating: false });
  });

  it("searches no saved graph where the index is to be exact", async () => {
    const first = await start();
    await first.intake.append(past);
    await first.drained();
    await (await (await first.index?.serving.users.stage(0))?.verify())?.publish(0);
    await stop(first);
    const again = await start();
    expect(again.index?.serving.users.stats().shards[0]?.nodes).toBeGreaterThan(0);
    await stop(again);
    const exact = await start({ index: { engine: "exact" } });
    expect(exact.index?.serving.users.stats()).toMatchObject({ size: 120, shards: [{ nodes: 0 }] });
    await stop(exact);
    lines = [];
    await start({ index: { engine: "exact" } });
    expect(lines).toContain("the saved index is reopened");
  });

  it("makes the index anew where vectors are to be stored otherwise, and answers alike", async () => {
    const first = await start();
    await first.intake.append(past);
    await first.drained();
    const before = await neighbors(first);
    await stop(first);
    lines = [];
    const half = await start({ index: { storage: "float16" } });
    expect(lines).not.toContain("the saved index is reopened");
    expect(half.index?.serving.users.storage).toBe("float16");
    const after = new Map(await neighbors(half));
    for (const [id, score] of before.slice(0, 10)) expect(after.get(id)).toBeCloseTo(score, 2);
    await stop(half);
    const again = await start({ index: { storage: "float16" } });
    expect(lines).toContain("the saved index is reopened");
    expect(again.index?.serving.users.storage).toBe("float16");
  });

  it("begins with ef within its limits, and tells it", async () => {
    expect((await start({ index: { ef: 32 } })).metrics().indexEf).toBe(64);
    await stop(open[0] as Updater);
    expect((await start({ index: { efLeast: 300, efMost: 300 } })).metrics().indexEf).toBe(300);
  });

  it("leaves nothing of an erased user in the index's files or in a shadow for long", async () => {
    const gone = "soon-erased" as UserId;
    const first = await start();
    await first.intake.append([...past, { user: gone, item: "song:1" as ItemId, action: "play", ts: NOW }]);
    await first.drained();
    await stop(first);
    const inFiles = (): boolean =>
      readdirSync(join(dataDir, "index"), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .some((file) => {
          try {
            return readFileSync(join(file.parentPath, file.name)).includes(gone);
          } catch {
            return false;
          }
        });
    expect(inFiles()).toBe(true);
    mkdirSync(join(dataDir, "shadow", "journal"), { recursive: true });
    writeFileSync(join(dataDir, "shadow", "journal", "1.sst"), gone);
    const updater = await start();
    await updater.intake.erase(gone, NOW);
    expect(existsSync(join(dataDir, "shadow"))).toBe(false);
    await vi.waitFor(() => expect(inFiles()).toBe(false), { timeout: 10_000, interval: 100 });
  }, 20_000);

  it("can be interrupted while it starts", async () => {
    const first = await start();
    await first.intake.append(past);
    await stop(first);
    const updater = await Updater.open({ config: config(), log: { debug: note, info: note, warn: note, error: note } });
    open.push(updater);
    const starting = updater.start();
    updater.interrupt();
    await expect(starting).rejects.toMatchObject({ code: "NOT_READY" });
  });
});
