import { describe, expect, it } from "vitest";
import { trainMetapath2vec } from "../../../models/training/metapath2vec.js";
import { METAPATH2VEC_DEFAULTS, metapath2vecSettings } from "../../../models/training/metapath2vec-settings.js";
import type { TrainingProgress } from "../../../models/training/model-kind.js";
import { TrainingSetBuilder } from "../../../models/training-set/training-set-builder.js";
import type { ItemId } from "../../../schemas/ids.js";
import type { ItemInfo } from "../../../schemas/item.js";
import type { NodeVectors, TrainingSet } from "../../../schemas/model.js";
import { byModel, byPopularity, podcastListeners, songRecall } from "../../harness/podcast-listeners.js";
import { seededRandom } from "../../harness/seeded-random.js";

/** Two circles of people who share no item; songs of a circle have its creators and tag. */
function circles(users = 200): TrainingSet {
  const [builder, random] = [new TrainingSetBuilder(), seededRandom(7)];
  for (let user = 0; user < users; user++) {
    const circle = user % 2 === 0 ? "jazz" : "rock";
    for (let i = 0; i < 8; i++) builder.add(`${circle}-${user}`, `song:${circle}-${random(20)}` as ItemId);
  }
  for (const circle of ["jazz", "rock"])
    for (let i = 0; i < 20; i++)
      builder.addInfo({
        item: `song:${circle}-${i}`,
        type: "song",
        creators: [`${circle}-band-${i % 4}`],
        tags: [circle],
      } as object as ItemInfo);
  return builder.build();
}

const small = { dims: 16, epochs: 6, length: 12 } as const;

function nearest({ ids, vectors: { dims, values } }: NodeVectors, id: string): string {
  const cosine = (a: number, b: number): number => {
    let [dot, aa, bb] = [0, 0, 0];
    for (let d = 0; d < dims; d++) {
      const [x, y] = [values[a * dims + d]!, values[b * dims + d]!];
      [dot, aa, bb] = [dot + x * y, aa + x * x, bb + y * y];
    }
    return dot / Math.sqrt(aa * bb);
  };
  const own = ids.indexOf(id);
  return [...ids.keys()]
    .filter((row) => row !== own)
    .sort((a, b) => cosine(own, b) - cosine(own, a))
    .map((row) => ids[row]!)[0]!;
}

describe("trainMetapath2vec", () => {
  it.each([false, true])(
    "puts together users, items and creators of a circle; negatives of the context's type: %s",
    async (heterogeneousNegatives) => {
      const { model, done } = await trainMetapath2vec(circles(), { ...small, epochs: 20, heterogeneousNegatives });
      expect([done, model.kind]).toEqual([true, "metapath2vec"]);
      expect(model.nodes!.map(({ type, ids }) => [type, ids.length])).toEqual([
        ["user", 200],
        ["creator", 8],
        ["tag", 2],
      ]);
      const items: NodeVectors = { type: "song", ids: model.items, vectors: model.input };
      for (const circle of ["jazz", "rock"]) {
        expect(nearest(items, `song:${circle}-3`)).toMatch(circle);
        expect(nearest(model.nodes![0]!, `${circle}-${circle === "jazz" ? 10 : 11}`)).toMatch(circle);
        expect(nearest(model.nodes![1]!, `${circle}-band-2`)).toMatch(circle);
      }
    },
  );

  it("gives one model for a seed on one thread, with or without a stop on the way", async () => {
    const set = circles(1000);
    const whole = await trainMetapath2vec(set, small);
    expect((await trainMetapath2vec(set, small)).model).toEqual(whole.model);
    expect((await trainMetapath2vec(set, { ...small, seed: 2 })).model).not.toEqual(whole.model);
    const stop = new AbortController();
    const onProgress = ({ pairs }: TrainingProgress): void => void (pairs > 0 && stop.abort());
    const half = await trainMetapath2vec(set, small, { signal: stop.signal, onProgress, reportEveryMs: 1 });
    expect(half.done).toBe(false);
    const rest = await trainMetapath2vec(set, small, { from: half.state });
    expect([rest.model, rest.metrics, rest.losses]).toEqual([whole.model, whole.metrics, whole.losses]);
  });

  it("gives songs to those who are known by podcasts alone: more of those they like than what everybody has", async () => {
    const town = podcastListeners({ listeners: 600, eventsEach: 60, seed: 5 });
    const { model } = await trainMetapath2vec(town.set, { dims: 32, epochs: 20 });
    const [cold, found] = [songRecall(town, 20, byPopularity(town)), songRecall(town, 20, byModel(town, model))];
    expect(town.held.size).toBeGreaterThan(80);
    expect(found).toBeGreaterThan(1.5 * cold);
  });

  it("learns nothing of what no walk meets: zeros, neither pooled nor found", async () => {
    const builder = new TrainingSetBuilder();
    for (let user = 0; user < 20; user++) for (const item of ["song:a", "song:b", "podcast:z"]) builder.add(`u${user}`, item as ItemId);
    const { model } = await trainMetapath2vec(builder.build(), { ...small, path: "user-song-user" });
    for (const { values } of [model.input, model.output]) {
      expect(values.subarray(2 * 16).every((x) => x === 0)).toBe(true);
      expect(values.subarray(0, 2 * 16).some((x) => x !== 0)).toBe(true);
      expect(values.every(Number.isFinite)).toBe(true);
    }
    expect(model.nodes!.map(({ type }) => type)).toEqual(["user"]);
    // Users are walked over, and have no context to learn from.
    expect((await trainMetapath2vec(builder.build(), { ...small, context: "item~item" })).model.nodes).toEqual([]);
  });

  it("trains on one item only", async () => {
    const builder = new TrainingSetBuilder();
    for (const user of ["u", "v"]) builder.add(user, "a" as ItemId);
    const { done, model } = await trainMetapath2vec(builder.build(), { ...small, heterogeneousNegatives: true });
    expect([done, model.items]).toEqual([true, ["a"]]);
    expect(model.input.values.every(Number.isFinite)).toBe(true);
  });

  it("says which path can't be walked, and where it diverges", async () => {
    const refused = (where: string) => expect.objectContaining({ code: "INVALID_ARGUMENT", where });
    await expect(trainMetapath2vec(circles(), { ...small, path: "user-movie-user" })).rejects.toThrow(refused("path"));
    await expect(trainMetapath2vec(circles(), { ...small, context: "user~movie" })).rejects.toThrow(refused("context"));
    const wild = { ...small, optimizer: "sgd", rate: 10, lastRate: 10, negativeWeight: 1000, epochs: 100 } as const;
    await expect(trainMetapath2vec(circles(), wild)).rejects.toThrow(refused("rate"));
  });
});

describe("metapath2vecSettings", () => {
  it("has defaults, and refuses what is out of range", () => {
    expect(metapath2vecSettings()).toEqual(METAPATH2VEC_DEFAULTS);
    for (const [given, where] of [
      [{ window: 0 }, "window"],
      [{ heterogeneousNegatives: "yes" as never }, "heterogeneousNegatives"],
      [{ path: 1 as never }, "path"],
      [{ walks: 3 } as object, "walks"],
    ] as const)
      expect(() => metapath2vecSettings(given)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", where }));
  });
});
