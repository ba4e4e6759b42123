import { createHash } from "node:crypto";
import { typeOfId } from "../../schemas/event.js";
import type { EpochMs } from "../../schemas/ids.js";
import type { Histories, TrainingSet } from "../../schemas/model.js";
import type { TrainingData } from "../model-folder/model-manifest.js";
import { sampleOf } from "../seeded-random.js";

/** The type of each item: that of its side information, else what its id says (`song:42` is a `song`), else "". */
export const typesOf = ({ histories, infos }: Pick<TrainingSet, "histories" | "infos">): string[] =>
  histories.items.map((item) => infos?.get(item)?.type ?? typeOfId(item) ?? "");

/**
 * What a model is trained on, known again by a hash of users, items, who has what, and whatever else is known. Of side information only
 * what a model can learn from: a title may change.
 */
export function trainingDataOf(set: TrainingSet): TrainingData {
  const { items, users, starts, rows } = set.histories;
  const hash = createHash("sha256").update(JSON.stringify([items.length, users.length, rows.length]));
  for (const ids of [items, users]) for (const id of ids) hash.update(JSON.stringify(id));
  const table = (name: string, values: Uint32Array | Float32Array | Float64Array | undefined): void => {
    if (values !== undefined) hash.update(name).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  };
  table("", starts);
  table("", rows);
  table("weights", set.weights);
  table("times", set.times);
  table(`actions ${JSON.stringify(set.actionNames)}`, set.actions);
  table(`scenes ${JSON.stringify(set.sceneNames)}`, set.scenes);
  if (set.infos !== undefined)
    for (const item of items) {
      const info = set.infos.get(item);
      if (info !== undefined) hash.update(JSON.stringify([item, info.type, info.creators, info.tags, info.scene]));
    }
  const newest = newestOf(set);
  const known = newest !== undefined && { newest };
  return { users: users.length, interactions: rows.length, fingerprint: hash.digest("hex"), ...known };
}

/** Event time of the newest interaction; undefined where times are not known. */
export const newestOf = ({ times }: Pick<TrainingSet, "times">): EpochMs | undefined =>
  times === undefined || times.length === 0 ? undefined : times.reduce((newest, ts) => Math.max(newest, ts));

/** At most so many of the users, drawn by the seed, in their order. */
export function sampleUsers(histories: Histories, most: number, seed: number): Histories {
  const { items, users, starts, rows } = histories;
  if (users.length <= most) return histories;
  const drawn = sampleOf(users.length, most, seed).sort();
  const own = Array.from(drawn, (user) => rows.subarray(starts[user], starts[user + 1]));
  const newStarts = new Uint32Array(most + 1);
  for (const [i, history] of own.entries()) newStarts[i + 1] = newStarts[i]! + history.length;
  const newRows = new Uint32Array(newStarts[most]!);
  for (const [i, history] of own.entries()) newRows.set(history, newStarts[i]);
  return { items, users: Array.from(drawn, (user) => users[user]!), starts: newStarts, rows: newRows };
}

/** The interactions that `keep` says yes to, by their place in `rows`; users and items in their order, those who have none left go. */
export function selectInteractions(set: TrainingSet, keep: (place: number) => boolean): TrainingSet {
  const { items, users, starts, rows } = set.histories;
  const places = rows.map((_, place) => place).filter(keep);
  const left = new Uint32Array(items.length);
  for (const place of places) left[rows[place]!] = 1;
  const kept = [...items.keys()].filter((row) => left[row] === 1);
  for (const [row, old] of kept.entries()) left[old] = row;
  const counts = users.map(() => 0);
  for (let user = 0, at = 0; at < places.length; at++) {
    while (places[at]! >= starts[user + 1]!) user++;
    counts[user]!++;
  }
  const own = [...users.keys()].filter((user) => counts[user]! > 0);
  const newStarts = new Uint32Array(own.length + 1);
  for (const [i, user] of own.entries()) newStarts[i + 1] = newStarts[i]! + counts[user]!;
  return {
    ...set,
    histories: {
      items: kept.map((row) => items[row]!),
      users: own.map((user) => users[user]!),
      starts: newStarts,
      rows: places.map((place) => left[rows[place]!]!),
    },
    ...(set.weights && { weights: Float32Array.from(places, (place) => set.weights![place]!) }),
    ...(set.times && { times: Float64Array.from(places, (place) => set.times![place]!) }),
    ...(set.actions && { actions: places.map((place) => set.actions![place]!) }),
    ...(set.scenes && { scenes: places.map((place) => set.scenes![place]!) }),
  };
}
