import { rmSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Updater, type UpdaterOptions } from "../../../cli/wiring/updater.js";
import type { Config } from "../../../schemas/config.js";
import { buildConfig } from "../../../schemas/config-validation.js";
import type { CatalogueNumber, Generation, UserId } from "../../../schemas/ids.js";
import type { GenerationsStatus } from "../../../schemas/ports/generations.js";
import { generateTown } from "../../../town/town.js";
import { townHistory } from "../../../town/town-events.js";
import { randomModel } from "../../harness/made-model.js";

const NOW = Date.UTC(2026, 0, 1);
const town = generateTown({ seed: 1, listeners: 90 });
const past = [...townHistory(town, { seed: 1, endTs: NOW, spanMs: 30 * 86_400_000, eventsEach: 24 })];
const items = [...new Set(past.map(({ item }) => item))];
const users = town.listeners.map(({ user }) => user);
const half = past.length >> 1;

describe("LiveGenerations over a journal", () => {
  let root = "";
  let open: Updater[] = [];
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "kindred-generations-"));
  });
  afterEach(async () => {
    for (const updater of open) await updater.close();
    open = [];
    await rm(root, { recursive: true, force: true });
  });

  const config = (dataDir: string, values: object = {}): Config =>
    buildConfig([{ values: { dataDir, generation0: { dims: 32 }, ...values }, where: () => "test" }]);
  const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const start = async (name = "data", values: object = {}, options: Partial<UpdaterOptions> = {}): Promise<Updater> => {
    const updater = await Updater.open({ config: config(join(root, name), values), log: quiet, ...options });
    open.push(updater);
    await updater.start();
    return updater;
  };
  const stop = async (updater: Updater): Promise<void> => {
    open = open.filter((one) => one !== updater);
    await updater.close();
  };
  /** Answers by now. */
  const published = async (updater: Updater, model: string): Promise<Generation> => {
    const generation = await updater.generations.publish(model);
    await updater.generations.settled();
    return generation;
  };
  const states = ({ serving, generations }: GenerationsStatus): string[] => [
    `serving ${serving}`,
    ...generations.map(({ ref, state }) => `${ref.generation} ${state}`),
  ];

  type Found = Record<string, (string | number)[]>;
  /** Neighbours of everybody, and items for everybody and near every item, in the space that answers. */
  async function answers(updater: Updater): Promise<Found> {
    const { model, serving } = updater.index ?? expect.fail("no index");
    const found: Found = {};
    const named = (names: readonly string[], scores: Float32Array): (string | number)[] =>
      names
        .map((id, i): [string, number] => [id, Math.round((scores[i] as number) * 1e4) / 1e4])
        .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
        .flat();
    for (const user of users) {
      const ordinal = model.userOrdinal(user) ?? expect.fail(`${user} is unknown`);
      const near = await serving.users.searchFrom(ordinal, { k: 10, exclude: Uint32Array.of(ordinal) });
      found[user] = named(model.userIds(near.ordinals), near.scores);
      const liked = await serving.items?.outputs.search(serving.users.vector(ordinal) ?? expect.fail("no vector"), { k: 10 });
      if (liked) found[`items of ${user}`] = named(model.itemIds(liked.ordinals), liked.scores);
    }
    for (const item of items.slice(0, 20)) {
      const near = await serving.items?.alike.searchFrom(model.itemOrdinal(item) ?? expect.fail("unknown"), { k: 5 });
      if (near) found[item] = named(model.itemIds(near.ordinals), near.scores);
    }
    return found;
  }

  /** What a start without any index finds on the same log. */
  async function answersOfFreshStart(updater: Updater): Promise<Found> {
    await stop(updater);
    rmSync(join(root, "data", "index"), { recursive: true });
    rmSync(join(root, "data", "state"), { recursive: true });
    return answers(await start());
  }

  it("publishes while events come: afterwards as a fresh start on the same log, the hash untouched, and back in one step", async () => {
    const updater = await start();
    await updater.intake.append(past.slice(0, half));
    const model = await randomModel(root, items, 1);
    const publishing = published(updater, model);
    for (let at = half; at < past.length; at += 100) await updater.intake.append(past.slice(at, at + 100));
    expect(await publishing).toBe(1);
    // It was copied.
    await rm(model, { recursive: true });
    await updater.drained();
    expect(states(await updater.generations.list())).toEqual(["serving 1", "0 ready", "1 active"]);
    const [now, { hash }] = [await answers(updater), await updater.owner.summary()];
    expect(await updater.owner.verify()).toMatchObject({ faultCount: 0, storedHash: hash });

    await updater.generations.activate(0 as Generation);
    const back = await answers(updater);
    expect(back).not.toEqual(now);
    expect(Object.keys(back)).toHaveLength(users.length);
    await updater.generations.activate(1 as Generation);
    expect(await answers(updater)).toEqual(now);
    expect(await answersOfFreshStart(updater)).toEqual(now);

    // Somebody who never published, and was told the same.
    const plain = await start("plain");
    await plain.intake.append(past);
    await plain.drained();
    expect((await plain.owner.summary()).hash).toBe(hash);
    expect(await answers(plain)).toEqual(back);
  });

  it("keeps three up to date, refuses a fourth, and never gives a number twice", async () => {
    const updater = await start();
    await updater.intake.append(past.slice(0, half));
    const models = [await randomModel(root, items, 1), await randomModel(root, items, 2, 8), await randomModel(root, items, 3)] as const;
    expect([await published(updater, models[0]), await published(updater, models[1])]).toEqual([1, 2]);
    await expect(updater.generations.publish(models[2])).rejects.toMatchObject({ code: "TOO_MANY_GENERATIONS", status: 409 });
    // The same one again is the same generation.
    expect(await updater.generations.publish(models[0])).toBe(1);
    expect(states(await updater.generations.list())).toEqual(["serving 2", "0 ready", "1 ready", "2 active"]);
    await updater.intake.append(past.slice(half));
    await updater.drained();
    const each: Found[] = [];
    for (const generation of [0, 1, 2] as Generation[]) {
      await updater.generations.activate(generation);
      each.push(await answers(updater));
    }
    expect(await answersOfFreshStart(updater)).toEqual(each[2]);
    const [again] = open as [Updater];
    for (const generation of [0, 1] as Generation[]) {
      await whenReady(again, generation);
      await again.generations.activate(generation);
      expect(await answers(again)).toEqual(each[generation]);
    }

    await expect(again.generations.retire(1 as Generation)).rejects.toMatchObject({ code: "GENERATION_IN_USE" });
    await expect(again.generations.retire(7 as Generation)).rejects.toMatchObject({ code: "UNKNOWN_GENERATION" });
    expect(states(await again.generations.retire(2 as Generation))).toEqual(["serving 1", "0 ready", "1 active"]);
    expect(states(await again.generations.retire(0 as Generation))).toEqual(["serving 1", "1 active"]);
    expect(await published(again, models[2])).toBe(3);
    await again.drained();
    await stop(again);
    expect((await readdir(join(root, "data", "index"))).sort()).toEqual([
      expect.stringMatching(/^1-item2vec-16-1-/),
      expect.stringMatching(/^3-item2vec-16-3-/),
      "rows",
    ]);
    // Rows of now do not ask for it, the log of then does.
    expect((await readdir(join(root, "data", "models"))).map((name) => name.split("-")[0]).sort()).toEqual(["1", "2", "3"]);
    const last = await start();
    // Once no stored catalogue is of before it was retired.
    await last.generations.cleanUp(last.stores.state.activeCatalogue);
    expect((await readdir(join(root, "data", "models"))).map((name) => name.split("-")[0]).sort()).toEqual(["1", "3"]);
    expect(states(await last.generations.list()).slice(0, 2)).toEqual(["serving 3", "1 ready"]);
    expect(await last.generations.publish(models[1])).toBe(4);
  });

  /** One that does not answer is looked after once it is open. */
  async function whenReady(updater: Updater, generation: Generation): Promise<void> {
    await expect
      .poll(async () => (await updater.generations.list()).generations.find(({ ref }) => ref.generation === generation)?.state)
      .toMatch(/ready|active/);
  }

  it("goes on with what was published when the process ended before the log had it, and with what was being pooled", async () => {
    const first = await start();
    await first.intake.append(past);
    await first.drained();
    const { hash } = await first.owner.summary();
    // As if it were killed between the record that publishes and the catalogue's.
    first.keeper.update = () => Promise.reject(new Error("killed"));
    await expect(first.generations.publish(await randomModel(root, items, 1))).rejects.toThrow("killed");
    await stop(first);
    const second = await start();
    await second.generations.settled();
    expect(states(await second.generations.list())).toEqual(["serving 1", "0 ready", "1 active"]);
    const now = await answers(second);
    // What was begun and is not done when it ends: rows are pooled by the next.
    await second.generations.publish(await randomModel(root, items, 2));
    await stop(second);
    const third = await start();
    await third.generations.settled();
    expect((await third.generations.list()).serving).toBe(2);
    await third.generations.activate(1 as Generation);
    expect(await answers(third)).toEqual(now);
    expect((await third.owner.summary()).hash).toBe(hash);
  });

  it("refuses what is no model, and is as it was", async () => {
    const updater = await start();
    await updater.intake.append(past.slice(0, 50));
    const good = await randomModel(root, items, 1);
    const refused = async (name: string, change: (folder: string) => Promise<unknown>): Promise<void> => {
      const folder = join(root, name);
      await cp(good, folder, { recursive: true });
      await change(folder);
      await expect(updater.generations.publish(folder), name).rejects.toMatchObject({ code: "MODEL_INVALID" });
    };
    const manifest = (change: (read: Record<string, unknown>) => void) => async (folder: string) => {
      const read = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as Record<string, unknown>;
      change(read);
      await writeFile(join(folder, "manifest.json"), JSON.stringify(read));
    };
    await refused("gone", (folder) => rm(folder, { recursive: true }));
    await refused("no-output", (folder) => rm(join(folder, "output.npy")));
    await refused("damaged", (folder) => writeFile(join(folder, "input.npy"), "no numbers"));
    await refused(
      "kind",
      manifest((read) => Object.assign(read, { kind: "../../elsewhere" })),
    );
    await refused(
      "untrained",
      manifest((read) => Object.assign(read, { kind: "random-indexing" })),
    );
    await refused(
      "outside",
      manifest((read) => (read.files as object[]).push({ ...(read.files as object[])[0], name: "../secret" })),
    );
    expect(states(await updater.generations.list())).toEqual(["serving 0", "0 active"]);
    expect(await readdir(join(root, "data", "models")).catch(() => [])).toEqual([]);
    // The number was not given.
    expect(await published(updater, good)).toBe(1);
  });

  it("does not follow by itself once another is wanted, and is not activated before it is ready", async () => {
    const updater = await start("data", { index: { minGraphRows: 20, m: 4, efConstruction: 8, verifyRecall: 0.5 } });
    await updater.intake.append(past);
    await updater.drained();
    await updater.generations.publish(await randomModel(root, items, 1));
    await expect(updater.generations.activate(1 as Generation)).rejects.toMatchObject({ code: "GENERATION_NOT_READY", canRetry: true });
    expect((await updater.generations.activate(0 as Generation)).next).toBeNull();
    await whenReady(updater, 1 as Generation);
    expect((await updater.generations.list()).serving).toBe(0);
    // Its shards are built and verified before it says so.
    expect(updater.index?.space(1 as Generation)?.users.stats().shards).toMatchObject([{ nodes: users.length }]);
    expect((await updater.generations.activate(1 as Generation)).serving).toBe(1);
  });

  it("does not answer before the catalogue that rows are to be of is made", async () => {
    const updater = await start();
    await updater.intake.append(past);
    await updater.drained();
    const update = updater.keeper.update.bind(updater.keeper);
    updater.keeper.update = async () => {
      await sleep(700);
      return update();
    };
    const publishing = updater.generations.publish(await randomModel(root, items, 1));
    await expect.poll(async () => (await updater.generations.list()).next).toBe(1);
    await sleep(400);
    expect(states(await updater.generations.list())).toEqual(["serving 0", "0 active", "1 pooling"]);
    await publishing;
    await updater.generations.settled();
    expect(updater.index?.serving.users.size).toBe(users.length);
  });

  it("forgets an erased user in every generation", async () => {
    const updater = await start();
    await updater.intake.append(past);
    await published(updater, await randomModel(root, items, 1));
    const [gone] = users as [UserId];
    const ordinal = updater.index?.model.userOrdinal(gone) ?? expect.fail("unknown");
    await updater.intake.erase(gone, NOW);
    await updater.drained();
    for (const generation of [0, 1] as Generation[])
      expect(updater.index?.space(generation)?.users.vector(ordinal), `generation ${generation}`).toBeUndefined();
  });

  it("makes a catalogue again that failed once: what is published answers, what is retired is gone", async () => {
    const updater = await start();
    await updater.intake.append(past);
    await updater.drained();
    const update = updater.keeper.update.bind(updater.keeper);
    const failOnce = (): void => {
      updater.keeper.update = () => {
        updater.keeper.update = update;
        return Promise.reject(new Error("no space"));
      };
    };
    const model = await randomModel(root, items, 1);
    failOnce();
    await expect(updater.generations.publish(model)).rejects.toThrow("no space");
    await updater.generations.settled();
    expect(states(await updater.generations.list())).toEqual(["serving 1", "0 ready", "1 active"]);
    failOnce();
    await expect(updater.generations.retire(0 as Generation)).rejects.toThrow("no space");
    expect(updater.index?.generations()).toEqual([1]);
    const live = async (): Promise<number[]> => {
      const { catalogues } = updater.stores;
      return ((await catalogues.get((await catalogues.newest()) as CatalogueNumber))?.generations ?? []).map(
        ({ generation }) => generation,
      );
    };
    await expect.poll(live, { timeout: 10_000 }).toEqual([1]);
  }, 30_000);

  it("makes the catalogue before it says again that a model is published", async () => {
    const updater = await start();
    await updater.intake.append(past.slice(0, 50));
    const model = await randomModel(root, items, 1);
    const update = updater.keeper.update.bind(updater.keeper);
    updater.keeper.update = () => Promise.reject(new Error("no space"));
    for (let i = 0; i < 2; i++) await expect(updater.generations.publish(model)).rejects.toThrow("no space");
    updater.keeper.update = update;
    expect(await published(updater, model)).toBe(1);
  });

  it("answers with another one only once that is durable", async () => {
    const updater = await start();
    await updater.intake.append(past.slice(0, 50));
    await published(updater, await randomModel(root, items, 1));
    const { store } = updater.stores.journal;
    const batch = store.batch.bind(store);
    let servedAtWrite: number | undefined;
    store.batch = () => {
      servedAtWrite = updater.index?.serving.generation;
      return Promise.reject(new Error("no space"));
    };
    try {
      await whenReady(updater, 0 as Generation);
      await expect(updater.generations.activate(0 as Generation)).rejects.toThrow("no space");
    } finally {
      store.batch = batch;
    }
    expect([servedAtWrite, updater.index?.serving.generation, (await updater.generations.list()).serving]).toEqual([1, 1, 1]);
  });
});
