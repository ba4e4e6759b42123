/**
 * What provisional vectors of new items are worth. Items are held out of training altogether; then they come, with tags, or with their
 * first listeners, and are in the list of 20 of their other listeners, or they are not. Beside it how many lists of all people they are
 * in: whoever is shown to everybody is found by everybody. The last row of each is what a model says that was trained on all.
 *
 *   npm run -s bench -- new-items --gowalla DIR --lastfm DIR [--dims 64]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Provisional } from "../models/provisional/provisional.js";
import { SeededRandom, sampleOf } from "../models/seeded-random.js";
import { trainItem2vec } from "../models/training/item2vec.js";
import { HistoriesBuilder, popularityOf, readHistories } from "../models/training-set/histories.js";
import { createVectorIndex } from "../native/vector-index.js";
import type { ItemId } from "../schemas/ids.js";
import type { ItemInfo } from "../schemas/item.js";
import type { Histories, ItemModel } from "../schemas/model.js";
import { lastfmLines } from "./harness/lastfm.js";
import { Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: { gowalla: { type: "string" }, lastfm: { type: "string" }, dims: { type: "string", default: "64" } },
});
if (flags.gowalla === undefined || flags.lastfm === undefined)
  throw new Error("usage: npm run -s bench -- new-items --gowalla DIR --lastfm DIR [--dims 64]");
const dims = Number(flags.dims);

/** Of an item that is held out: so that after ten there are others to ask. */
const FEWEST_LISTENERS = 15;
const HELD_SHARE = 0.05;
const PLACES = 20;
const AFTER = [0, 1, 3, 10];
/** People who are asked whether an item is shown to them, whoever they are. */
const ANYBODY = 2_000;

type Infos = ReadonlyMap<ItemId, ItemInfo>;

/** Pooled users over the items that were not held out, and what an item must exceed to be in the list of each. */
interface Lists {
  readonly pooled: readonly Float32Array[];
  readonly least: Float64Array;
}

async function listsOf(model: ItemModel, all: Histories, held: ReadonlySet<ItemId>): Promise<Lists> {
  const index = createVectorIndex({
    ...{ dims, storage: "float32", shards: 1, driftCosine: 0.9, ef: 64, scanRowsPerEf: 0, generation: 1, metric: "inner-product" },
  });
  try {
    const rows = Uint32Array.from(model.items.keys()).filter((row) => !held.has(model.items[row]!));
    const vectors = new Float32Array(rows.length * dims);
    for (const [i, row] of rows.entries()) vectors.set(model.output.values.subarray(row * dims, (row + 1) * dims), i * dims);
    index.upsert(rows, vectors);
    const rowOf = new Map(model.items.map((item, row) => [item, row]));
    const [pooled, least]: [Float32Array[], Float64Array] = [[], new Float64Array(all.users.length)];
    for (let user = 0; user < all.users.length; user++) {
      const items = Array.from(all.rows.subarray(all.starts[user], all.starts[user + 1]), (row) => all.items[row]!);
      const own = Uint32Array.from(
        items.filter((item) => rowOf.has(item) && !held.has(item)),
        (item) => rowOf.get(item)!,
      );
      const mean = new Float32Array(dims);
      for (const row of own) for (let d = 0; d < dims; d++) mean[d]! += model.input.values[row * dims + d]! / own.length;
      pooled.push(mean);
      const found = await index.search(mean, PLACES, 0, own, undefined, 0, true);
      // Whoever has nothing left has no list.
      least[user] = own.length === 0 ? Number.POSITIVE_INFINITY : found.scores[PLACES - 1]!;
    }
    return { pooled, least };
  } finally {
    index.close();
  }
}

/** Share of these users who have an item with this vector in their list. */
function shownTo({ pooled, least }: Lists, users: Uint32Array, output: Float32Array): number {
  let shown = 0;
  for (const user of users) {
    let score = 0;
    for (let d = 0; d < dims; d++) score += pooled[user]![d]! * output[d]!;
    if (score > least[user]!) shown++;
  }
  return users.length === 0 ? 0 : shown / users.length;
}

interface NewComer {
  readonly item: ItemId;
  /** In an order drawn by the seed: the first are the first listeners. */
  readonly listeners: Uint32Array;
}

function newcomersOf(all: Histories): NewComer[] {
  const popularity = popularityOf(all);
  const able = [...all.items.keys()].filter((row) => popularity[row]! >= FEWEST_LISTENERS);
  const drawn = sampleOf(able.length, Math.floor(all.items.length * HELD_SHARE), 1);
  const held = new Map(Array.from(drawn, (place): [number, number[]] => [able[place]!, []]));
  for (let user = 0; user < all.users.length; user++)
    for (const row of all.rows.subarray(all.starts[user], all.starts[user + 1])) held.get(row)?.push(user);
  const random = new SeededRandom(2);
  return [...held].map(([row, listeners]) => {
    for (let i = listeners.length - 1; i > 0; i--) {
      const j = random.below(i + 1);
      [listeners[i], listeners[j]] = [listeners[j]!, listeners[i]!];
    }
    return { item: all.items[row]!, listeners: Uint32Array.from(listeners) };
  });
}

function without(all: Histories, held: ReadonlySet<ItemId>): Histories {
  const builder = new HistoriesBuilder();
  for (const [user, id] of all.users.entries())
    builder.add(
      id,
      Array.from(all.rows.subarray(all.starts[user], all.starts[user + 1]), (row) => all.items[row]!).filter((item) => !held.has(item)),
    );
  return builder.build();
}

const results = new Results(
  "new-items",
  `New items by provisional vectors (item2vec, d = ${dims}): 5 % of the items, each with 15 listeners at least, held out of training; lists of ${PLACES}`,
  ["data", "what is known of the item", "in the list of its other listeners, %", "in anybody's list, %", "times as often"],
);

async function measure(data: string, all: Histories, infos: Infos | undefined): Promise<void> {
  const newcomers = newcomersOf(all);
  const held = new Set(newcomers.map(({ item }) => item));
  const train = without(all, held);
  const { model } = await trainItem2vec({ histories: train }, { dims, threads: 1 });
  const lists = await listsOf(model, all, held);
  const anybody = sampleOf(all.users.length, ANYBODY, 3);
  const row = (what: string, of: Lists, vectorOf: (one: NewComer) => Float32Array | undefined, after: number): void => {
    let [others, anyone] = [0, 0];
    for (const one of newcomers) {
      const output = vectorOf(one);
      if (output === undefined) continue;
      others += shownTo(of, one.listeners.subarray(after), output) / newcomers.length;
      const own = new Set(one.listeners);
      anyone +=
        shownTo(
          of,
          anybody.filter((user) => !own.has(user)),
          output,
        ) / newcomers.length;
    }
    results.row(data, what, round(others * 100, 2), round(anyone * 100, 3), anyone === 0 ? null : round(others / anyone, 0));
  };
  const started = process.cpuUsage();
  const plain = Provisional.fit(model, train);
  const fitted = process.cpuUsage(started);
  const withTags = infos && Provisional.fit(model, train, { infos });
  for (const after of AFTER) {
    const popular = [...popularityOf(train)].sort((a, b) => b - a)[PLACES - 1]!;
    const isPopular = after > popular;
    if (after > 0 && !isPopular) results.row(data, `${after} listeners: popularity`, 0, 0, null);
    const first = (one: NewComer): Float32Array[] => Array.from(one.listeners.subarray(0, after), (user) => lists.pooled[user]!);
    const by = (fit: Provisional, tags: boolean) => (one: NewComer) =>
      fit.vectorsOf({ listeners: first(one), ...(tags && { tags: infos?.get(one.item)?.tags ?? [] }) })?.output;
    if (after > 0) row(`${after} listeners`, lists, by(plain, false), after);
    if (withTags) row(after === 0 ? "tags" : `${after} listeners and tags`, lists, by(withTags, true), after);
  }
  for (const exposure of [1, 10]) {
    const fit = Provisional.fit(model, train, { exposure });
    row(
      `3 listeners, exposure ${exposure}`,
      lists,
      (one) => fit.vectorsOf({ listeners: Array.from(one.listeners.subarray(0, 3), (user) => lists.pooled[user]!) })?.output,
      3,
    );
  }
  const whole = (await trainItem2vec({ histories: all }, { dims, threads: 1 })).model;
  const places = new Map(whole.items.map((item, place) => [item, place]));
  const trained = (one: NewComer): Float32Array => {
    const place = places.get(one.item)!;
    return whole.output.values.subarray(place * dims, (place + 1) * dims);
  };
  row("all listeners, trained on them", await listsOf(whole, all, held), trained, 0);
  results.note(`${data}: ${newcomers.length} items held out; fitting took ${round((fitted.user + fitted.system) / 1e6)} CPU s.`);
}

await measure("Gowalla", await readHistories(join(flags.gowalla, "train.txt.gz")), undefined);

const plays = new HistoriesBuilder();
for (const [user, artist] of await lastfmLines(flags.lastfm, "user_artists.dat.gz")) plays.add(user!, [artist as ItemId]);
const tags = new Map<ItemId, Set<string>>();
for (const [, artist, tag] of await lastfmLines(flags.lastfm, "user_taggedartists.dat.gz"))
  tags.set(artist as ItemId, (tags.get(artist as ItemId) ?? new Set()).add(tag!));
const infos: Infos = new Map([...tags].map(([item, of]) => [item, { item, type: "artist", tags: [...of] }]));
await measure("Last.fm", plays.build(), infos);
results.note("Unless named, exposure is 3: a new item is to be in three times as many lists as the average item, by lists of known users.");
results.note(
  "Not found at all is 0 and 0; popularity puts nobody with ten listeners into a list of 20. The last rows have seen what they are asked for.",
);
await results.write();
