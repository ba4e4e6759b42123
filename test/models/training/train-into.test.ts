import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadModel } from "../../../models/model-folder/model-folder.js";
import { ITEM2VEC } from "../../../models/training/item2vec.js";
import type { Item2vecSettings } from "../../../models/training/item2vec-settings.js";
import { centred, type IntoOptions, type TrainingReport, trainInto } from "../../../models/training/train-into.js";
import { HistoriesBuilder } from "../../../models/training-set/histories.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { TrainingSet } from "../../../schemas/model.js";

const root = mkdtempSync(join(tmpdir(), "kindred-train-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function histories(users = 3000): TrainingSet {
  const builder = new HistoriesBuilder();
  for (let user = 0; user < users; user++)
    builder.add(
      `u${user}`,
      Array.from({ length: 8 }, (_, i) => `i${(user * 7 + i * i * 3) % 97}` as ItemId),
    );
  return { histories: builder.build() };
}

const settings = { dims: 16, epochs: 12, threads: 1, window: 8, negatives: 8 } as const;

const trainItem2vecInto = (
  place: string,
  set: TrainingSet,
  given: Partial<Item2vecSettings>,
  options?: IntoOptions,
): Promise<TrainingReport> => trainInto(place, ITEM2VEC, set, given, options);

/** Stopped as soon as it has done something. */
async function stopped(place: string, over: Partial<Item2vecSettings> = {}): Promise<void> {
  const stop = new AbortController();
  const report = await trainItem2vecInto(
    place,
    histories(),
    { ...settings, ...over },
    {
      signal: stop.signal,
      reportEveryMs: 1,
      onProgress: ({ pairs }) => void (pairs > 0 && stop.abort()),
    },
  );
  expect(report.done).toBe(false);
}
const bytesOf = (place: string, name: string): Buffer => readFileSync(join(place, name));

describe("trainInto", () => {
  it("leaves the same model, bit for bit, stopped on the way or not", async () => {
    const [whole, parts] = [join(root, "whole"), join(root, "parts")];
    const report = await trainItem2vecInto(whole, histories(), settings);
    expect(report).toMatchObject({ done: true, resumed: false, items: 97, users: 3000 });
    await stopped(parts);
    expect(readdirSync(parts)).toEqual(["checkpoint"]);
    await expect(loadModel(parts)).rejects.toMatchObject({ code: "MODEL_INVALID" });
    expect(await trainItem2vecInto(parts, histories(), settings)).toMatchObject({ done: true, resumed: true, pairs: report.pairs });
    for (const name of ["manifest.json", "items.jsonl", "input.npy", "output.npy", "losses.json"])
      expect(bytesOf(parts, name)).toEqual(bytesOf(whole, name));
    expect(readdirSync(parts)).toEqual(readdirSync(whole));
    expect((await loadModel(parts)).losses).toHaveLength(64);
    expect((await loadModel(parts)).manifest).toMatchObject({ kind: "item2vec", dims: 16, seed: 1, data: { users: 3000 } });
  });

  it("leaves the model that is there as it is when it is stopped, and replaces it at the end", async () => {
    const place = join(root, "again");
    await trainItem2vecInto(place, histories(), { ...settings, epochs: 1 });
    const before = bytesOf(place, "input.npy");
    await stopped(place);
    expect(bytesOf(place, "input.npy")).toEqual(before);
    await trainItem2vecInto(place, histories(), settings);
    expect(bytesOf(place, "input.npy")).not.toEqual(before);
    expect(readdirSync(place)).not.toContain("checkpoint");
  });

  it("puts right what a process left that died while it wrote a checkpoint or the model", async () => {
    const [whole, place] = [join(root, "crashed-whole"), join(root, "crashed")];
    await trainItem2vecInto(whole, histories(), settings);
    await stopped(place);
    // The checkpoint's old folder has made room for the new one, which has not got its name yet; the model's likewise.
    renameSync(join(place, "checkpoint"), join(place, "checkpoint.0123456789ab.old"));
    mkdirSync(join(place, "checkpoint.0123456789ab"));
    renameSync(place, `${place}.ba9876543210.old`);
    mkdirSync(`${place}.ba9876543210`);
    expect(await trainItem2vecInto(place, histories(), settings)).toMatchObject({ done: true, resumed: true });
    expect(bytesOf(place, "input.npy")).toEqual(bytesOf(whole, "input.npy"));
    expect(readdirSync(place)).toEqual(readdirSync(whole));
    expect(readdirSync(root).filter((name) => name.startsWith("crashed."))).toEqual([]);
  });

  it("does not go on with other data or settings, says which, and begins anew where told", async () => {
    const place = join(root, "other");
    await stopped(place);
    const refused = (what: RegExp) => ({ code: "MODEL_INVALID", message: expect.stringMatching(what) });
    await expect(trainItem2vecInto(place, histories(2999), settings)).rejects.toMatchObject(refused(/training data/));
    await expect(trainItem2vecInto(place, histories(), { ...settings, rate: 0.01 })).rejects.toMatchObject(refused(/rate/));
    // How many threads there are is no part of what a model is.
    const copy = join(root, "threads");
    cpSync(place, copy, { recursive: true });
    expect(await trainItem2vecInto(copy, histories(), { ...settings, threads: 2 })).toMatchObject({ done: true, resumed: true });
    expect(await trainItem2vecInto(place, histories(2999), settings, { restart: true })).toMatchObject({ done: true, resumed: false });
    expect(readdirSync(place)).not.toContain("checkpoint");
  });

  it("refuses a checkpoint that is damaged", async () => {
    const place = join(root, "damaged");
    await stopped(place);
    const part = join(place, "checkpoint", "outputSquares.npy");
    const bytes = readFileSync(part);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(part, bytes);
    await expect(trainItem2vecInto(place, histories(), settings)).rejects.toMatchObject({ code: "MODEL_INVALID", where: part });
    rmSync(part);
    await expect(trainItem2vecInto(place, histories(), settings)).rejects.toMatchObject({ code: "MODEL_INVALID", where: part });
    writeFileSync(join(place, "checkpoint", "checkpoint.json"), "{}");
    await expect(trainItem2vecInto(place, histories(), settings)).rejects.toMatchObject({ code: "MODEL_INVALID" });
  });

  it("refuses a folder with something else in it before it trains", async () => {
    const place = mkdtempSync(join(root, "taken-"));
    writeFileSync(join(place, "notes.txt"), "");
    let reports = 0;
    const training = trainItem2vecInto(place, histories(), settings, { onProgress: () => void reports++ });
    await expect(training).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(reports).toBe(0);
  });
});

describe("centred outputs", () => {
  const model = {
    ...{ kind: "k", items: ["a", "b", "c", "unfound"] as ItemId[], score: "dot" as const },
    input: { dims: 2, values: Float32Array.of(1, 0, 0, 1, 1, 1, 0, 0) },
    output: { dims: 2, values: Float32Array.of(-3, -2, -5, -1, -1, -3, 0, 0) },
  };

  it("put nobody's items in another order, and the best above 0; what is not found stays so", () => {
    const { output } = centred(model);
    expect([...output.values.subarray(6)]).toEqual([0, 0]);
    for (const user of [
      [1, 0.2],
      [0.1, 1],
      [-1, 0.5],
    ]) {
      const scores = ({ values }: typeof output): number[] =>
        [0, 1, 2].map((i) => user[0]! * values[2 * i]! + user[1]! * values[2 * i + 1]!);
      const order = (of: number[]): number[] => [0, 1, 2].sort((i, j) => of[j]! - of[i]!);
      expect(order(scores(output))).toEqual(order(scores(model.output)));
      expect(Math.max(...scores(output))).toBeGreaterThan(0);
    }
  });

  it("are not made for cosines, which would change", () => {
    expect(centred({ ...model, score: "cosine" }).output.values).toEqual(model.output.values);
  });
});
