/**
 * A partition's rows through its changelog: what a row costs to write and how many bytes it has, and what it takes to make a lost
 * partition again into RocksDB, with accumulators, sums, fingerprints, hashes and band keys, as the owner had it.
 *
 *   npm run -s bench -- restore-rows [--users 100000]
 *
 * Made-up users: Zipf items, as many as a full profile has, a ring of 32 event ids, fingerprints of the five strongest of 500 tags.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { RandomIndexing } from "../models/item-vectors/random-indexing.js";
import type { Catalogue, ItemVectors } from "../schemas/catalogue.js";
import type { CatalogueNumber, ItemId, Partition, UserId } from "../schemas/ids.js";
import type { ChangelogRecord } from "../schemas/ports/changelog.js";
import type { CatalogueStore } from "../schemas/ports/event-log.js";
import type { KeyValueStore, StoreWrite } from "../schemas/ports/key-value-store.js";
import { buildCatalogue, generationZero } from "../state/catalogue-builder.js";
import { POSITION_KEY, type PositionRecord } from "../state/changelog-records.js";
import { finish } from "../state/derived-fields.js";
import { blankRow } from "../state/fold.js";
import { FoldContext } from "../state/fold-context.js";
import { foldSettings } from "../state/fold-settings.js";
import { ItemTable } from "../state/item-table.js";
import { PartitionReplica } from "../state/partition-replica.js";
import { PartitionState } from "../state/partition-state.js";
import { openRocksStore } from "../state/rocks-store.js";
import { RowRecordWriter } from "../state/row-record.js";
import { HashSum, RowHasher } from "../state/state-hash.js";
import { UserRow } from "../state/user-row.js";
import { temporaryDirectory } from "../test/harness/kindred-process.js";
import { MemoryStore } from "../test/harness/memory-store.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({ options: { users: { type: "string", default: "100000" } } });
const USERS = Number(flags.users);
const ITEMS = 50_000;
const RING = 32;
const NOW = 1_700_000_000_000;
const YEAR = 365 * 86_400_000;
/** Records handed over at once: about what a fetch of a megabyte has. */
const SLICE = 1_024;
/** Rows written over and over to tell what one costs. */
const TIMED_ROWS = 2_000;

/** Takes everything and keeps nothing: what making rows costs without RocksDB. */
class Nowhere extends MemoryStore {
  override async batch(_writes: readonly StoreWrite[]): Promise<void> {}
}

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

const catalogueOf = (dims: number, profileItems: number): Catalogue =>
  buildCatalogue(1 as CatalogueNumber, {
    settings: foldSettings({ profileItems, idempotencyRing: RING }),
    items: Array.from({ length: ITEMS }, (_, i) => ({
      item: `song:${i}` as ItemId,
      type: "song",
      tags: [`t${i % 500}`, `t${(i * 7) % 500}`],
    })),
    generations: [generationZero(dims)],
  });

/** Users with full profiles, as their owner has them in memory. */
function* madeUp(context: FoldContext, profileItems: number, count: number): Generator<UserRow> {
  const random = seededRandom(7);
  for (let n = 0; n < count; n++) {
    const user = new UserRow(`user-${n}` as UserId, blankRow(context, 0, 0));
    const { row } = user;
    row.events = 3 * profileItems;
    row.offset = n + 1;
    for (let i = 0; i < RING; i++) row.ringAdd(random(2 ** 32), random(2 ** 32));
    const items = new Set<number>();
    while (items.size < profileItems) items.add(Math.min(ITEMS - 1, Math.floor(ITEMS ** (random(2 ** 31) / 2 ** 31)) - 1));
    for (const item of items) {
      const ts = NOW - random(YEAR);
      row.updatedAt = Math.max(row.updatedAt, ts);
      row.insertEntry(row.entryCount, context.items.ordinal(`song:${item}` as ItemId), 1024 * (1 + random(5)), ts);
    }
    row.landmark = context.decay.landmark(row.updatedAt);
    user.refresh(context.decay);
    user.sort(context.items);
    user.stale = true;
    finish(user, context);
    yield user;
  }
}

/** A compacted changelog: each user once, the position at the end. */
function changelogOf(
  context: FoldContext,
  profileItems: number,
): { records: ChangelogRecord[]; hash: string; bytes: number; rowBytes: number } {
  const hasher = new RowHasher();
  const sum = new HashSum();
  const writer = new RowRecordWriter(context.items);
  const records: ChangelogRecord[] = [];
  let [bytes, rowBytes] = [0, 0];
  for (const user of madeUp(context, profileItems, USERS)) {
    const { row } = user;
    hasher.hashInto(user, context.items, row.u32, row.hashWord);
    sum.add(row.u32, row.hashWord);
    const value = Uint8Array.from(writer.bytes.subarray(0, writer.write(row)));
    records.push({ key: Buffer.from(`u/${user.user}`), value });
    bytes += value.length;
    rowBytes += row.encodedLength;
  }
  const position: PositionRecord = {
    offset: USERS,
    eventTime: NOW,
    activations: [{ activation: 1, catalogue: 1 as CatalogueNumber }],
    migratedTo: null,
    hash: sum.toString(),
    rows: USERS,
    tombstones: 0,
  };
  records.push({ key: POSITION_KEY, value: Buffer.from(JSON.stringify({ version: 1, ...position })) });
  return { records, hash: position.hash, bytes: bytes / USERS, rowBytes: rowBytes / USERS };
}

/** CPU us a row of writing its record, and for scale of encoding the row that the store gets, which is a copy and a checksum; the best of some rounds in turn. */
function writeCost(context: FoldContext, profileItems: number): { record: number; stored: number } {
  const users = [...madeUp(context, profileItems, TIMED_ROWS)];
  const writer = new RowRecordWriter(context.items);
  const target = Buffer.alloc(64 << 10);
  const best = { record: Number.POSITIVE_INFINITY, stored: Number.POSITIVE_INFINITY };
  const time = (name: keyof typeof best, write: (user: UserRow) => void): void => {
    const from = cpuSeconds();
    for (const user of users) write(user);
    best[name] = Math.min(best[name], ((cpuSeconds() - from) / users.length) * 1e6);
  };
  for (let round = 0; round < 30; round++) {
    time("record", ({ row }) => writer.write(row));
    time("stored", ({ row }) => row.encodeInto(target, 0));
  }
  return best;
}

async function restore(
  store: KeyValueStore,
  records: readonly ChangelogRecord[],
  parts: { catalogues: CatalogueStore; itemVectors: () => ItemVectors },
): Promise<{ cpu: number; seconds: number; replica: PartitionReplica }> {
  const replica = await PartitionReplica.open({ store, partition: 0 as Partition, ...parts });
  const [cpu, clock] = [cpuSeconds(), performance.now()];
  for (let at = 0; at < records.length; at += SLICE)
    await replica.apply(records.slice(at, at + SLICE), Math.min(records.length, at + SLICE));
  return { cpu: cpuSeconds() - cpu, seconds: (performance.now() - clock) / 1000, replica };
}

const results = new Results(
  "restore-rows",
  "A partition's rows in its changelog, and made again from it: every user once with a full profile, as a compacted topic has them.",
  [
    "items a profile",
    "dimensions",
    "users",
    "bytes in the changelog",
    "bytes of the stored row",
    "CPU us to write one",
    "CPU us to encode the stored row",
    "restored: CPU s",
    "of it without RocksDB",
    "restored: seconds",
    "opened by its owner: seconds",
  ],
);
for (const [items, dims] of [
  [20, 64],
  [64, 64],
  [128, 128],
] as const) {
  const catalogue = catalogueOf(dims, items);
  const vectors = RandomIndexing.of(generationZero(dims));
  const parts = {
    catalogues: { get: async () => catalogue, put: async () => undefined, newest: async () => catalogue.number },
    itemVectors: () => vectors,
  };
  const context = new FoldContext(catalogue, 1, new ItemTable(), parts.itemVectors);
  const { records, hash, bytes, rowBytes } = changelogOf(context, items);
  const written = writeCost(context, items);
  const derived = await restore(new Nowhere(), records, parts);
  const directory = await temporaryDirectory("bench-restore-rows");
  const store = await openRocksStore(join(directory.path, "state"), { cacheBytes: 64 << 20 });
  try {
    const { cpu, seconds, replica } = await restore(store, records, parts);
    if (!replica.complete || replica.summary().hash !== hash) throw new Error("the restored rows are not the owner's");
    await replica.settled();
    const clock = performance.now();
    await PartitionState.open({ store, partition: 0 as Partition, ...parts });
    const opened = (performance.now() - clock) / 1000;
    results.row(
      items,
      dims,
      USERS,
      round(bytes, 0),
      round(rowBytes, 0),
      round(written.record, 2),
      round(written.stored, 2),
      round(cpu),
      round(derived.cpu),
      round(seconds),
      round(opened, 2),
    );
  } finally {
    await store.close();
    await directory.remove();
  }
}
await results.write();
