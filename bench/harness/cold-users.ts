import { HistoriesBuilder } from "../../models/training-set/histories.js";
import type { ItemId } from "../../schemas/ids.js";
import type { Histories, ItemModel } from "../../schemas/model.js";
import { seededRandom } from "../../test/harness/seeded-random.js";
import { scoreSplit } from "./split-scorer.js";

/** Every fifth user of a split, kept out of training. */
export interface ColdUsers {
  readonly warm: Histories;
  /** recall@20 of the rest of their history after `events` random ones of it; how many users had more than that. */
  score(model: ItemModel, events: number): Promise<{ readonly recall: number; readonly users: number }>;
}

const itemsOf = ({ items, starts, rows }: Histories, at: number): ItemId[] =>
  [...rows.subarray(starts[at], starts[at + 1])].map((row) => items[row]!);

/** @param test what else the users did, part of the rest; none while settings are chosen */
export function coldUsers(train: Histories, fifth: number, test?: Histories): ColdUsers {
  const warm = new HistoriesBuilder();
  const random = seededRandom(99);
  const later = new Map(test?.users.map((user, at) => [user, at]));
  const cold: { readonly user: string; readonly own: ItemId[]; readonly later: ItemId[] }[] = [];
  for (const [at, user] of train.users.entries()) {
    const own = itemsOf(train, at);
    if (at % 5 !== fifth) {
      warm.add(user, own);
      continue;
    }
    for (let i = own.length - 1; i > 0; i--) {
      const j = random(i + 1);
      [own[i], own[j]] = [own[j]!, own[i]!];
    }
    const found = later.get(user);
    cold.push({ user, own, later: test === undefined || found === undefined ? [] : itemsOf(test, found) });
  }
  const histories = warm.build();
  const known = new Set(histories.items);
  const score = async (model: ItemModel, events: number): Promise<{ recall: number; users: number }> => {
    const [heads, rests] = [new HistoriesBuilder(), new HistoriesBuilder()];
    // The scorer's rows of train are the model's.
    heads.add("", histories.items);
    for (const { user, own, later: after } of cold) {
      const usable = own.filter((item) => known.has(item));
      heads.add(user, usable.slice(0, events));
      rests.add(user, usable.length < events ? [] : [...own.filter((item) => !known.has(item)), ...usable.slice(events), ...after]);
    }
    return scoreSplit(model, heads.build(), rests.build());
  };
  return { warm: histories, score };
}
