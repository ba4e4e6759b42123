/**
 * Neighbours by the store's band keys alone, as a larger deployment would look them up, against the bands in memory: the same
 * people, how many comparisons, and what they cost. Real people: Last.fm with tags as keywords, in RocksDB.
 *
 *   npm run -s bench -- band-keys --lastfm DIR
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NativeReadModel } from "../index/read-model/native-read-model.js";
import type { Offset, Partition, UserOrdinal } from "../schemas/ids.js";
import { openRocksStore } from "../state/rocks-store.js";
import { lookUpByBandKeys } from "../test/harness/band-lookup.js";
import { temporaryDirectory } from "../test/harness/kindred-process.js";
import { lastfmUsers } from "./harness/real-users.js";
import { Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({ options: { lastfm: { type: "string" } } });
if (flags.lastfm === undefined) throw new Error("usage: npm run -s bench -- band-keys --lastfm DIR");

const results = new Results(
  "band-keys",
  "Neighbours by the band keys in RocksDB and by the bands in memory, every real user asked (Last.fm, top 5 tags).",
  [
    "users",
    "Hamming distance to",
    "pairs found",
    "users answered differently",
    "comparisons a query, keys",
    "comparisons a query, memory",
    "CPU us a query, keys",
    "CPU us a query, memory",
  ],
);
const directory = await temporaryDirectory("bench-band-keys");
const store = await openRocksStore(join(directory.path, "state"));
const model = NativeReadModel.create();
try {
  const { rows } = await lastfmUsers(flags.lastfm, store);
  model.apply({ partition: 0 as Partition, offset: 1 as Offset, eventTime: 1, rows, erased: [] });
  for (const distance of [0, 1, 2, 3]) {
    let [pairs, differing, keyComparisons, memoryComparisons] = [0, 0, 0, 0];
    const cpu = { keys: 0, memory: 0 };
    for (const { user } of rows) {
      const before = process.cpuUsage();
      const byKeys = await lookUpByBandKeys(store, user, distance);
      const between = process.cpuUsage(before);
      const near = await model.nearFingerprints(model.userOrdinal(user) as UserOrdinal, distance, rows.length);
      const both = process.cpuUsage(before);
      cpu.keys += between.user + between.system;
      cpu.memory += both.user + both.system - between.user - between.system;
      const ids = model.userIds(near.ordinals);
      const same = ids.length === byKeys.found.size && ids.every((id, i) => byKeys.found.get(id) === near.distances[i]);
      if (!same) differing++;
      pairs += byKeys.found.size;
      keyComparisons += byKeys.comparisons;
      memoryComparisons += near.candidates;
    }
    const n = rows.length;
    results.row(
      n,
      distance,
      pairs / 2,
      differing,
      round(keyComparisons / n, 2),
      round(memoryComparisons / n, 2),
      round(cpu.keys / n),
      round(cpu.memory / n),
    );
  }
  results.note("Each user is among the comparisons of all four blocks; both count an entry or a key of a bucket as one");
  results.note(
    "Projected to 1,000,000,000 uniform codes both read 4 x 1,000,000,000 / 65,536 = 61,035 a query, as the paper says (15,259 a block)",
  );
  await results.write();
} finally {
  model.close();
  await store.close();
  await directory.remove();
}
