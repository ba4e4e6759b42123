import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { addonPath } from "../../native/addon.js";
import { joinTexts, type NativeModel, NEW_ITEM, openNativeModel, type PackedBatch } from "../../native/read-model.js";

const LIMITS = { listenersPerItem: 1024, listenersPerSeed: 256, recentPublications: 1000, bucketCap: 65_536 };
const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });

/** Users with one fingerprint and one list of weights by new item each. */
function pack(users: string[], items: string[], change: Partial<PackedBatch> = {}): PackedBatch {
  const [ids, texts] = [joinTexts(users), joinTexts(items)];
  const rows = users.length;
  return {
    partition: 0,
    erased: "",
    erasedLengths: new Uint32Array(),
    users: ids.text,
    userLengths: ids.lengths,
    newItems: texts.text,
    newItemLengths: texts.lengths,
    fingerprints: new Uint32Array(rows * 3).fill(1),
    numbers: new Float64Array(rows * 3).fill(1),
    counts: new Uint32Array(rows).fill(items.length),
    items: Uint32Array.from({ length: rows * items.length }, (_, i) => NEW_ITEM + (i % items.length)),
    weights: new Float32Array(rows * items.length).fill(1),
    ...change,
  };
}

describe("the addon's read model", () => {
  let model: NativeModel;
  beforeEach(() => {
    model = openNativeModel(LIMITS);
  });
  afterEach(() => model.close());

  test("gives ordinals of users, then of new items, and takes an item by ordinal or by name", () => {
    expect([...model.apply(pack(["u", "v"], ["a", "b"]))]).toEqual([0, 1, 0, 1]);
    expect([...model.apply(pack(["w"], ["b", "c"]))]).toEqual([2, 1, 2]);
    model.apply(pack(["w"], [], { items: Uint32Array.of(2, 0), weights: Float32Array.of(5, 4), counts: Uint32Array.of(2) }));
    expect(model.user("w")).toMatchObject({ ordinal: 2, items: ["c", "a"], weights: Float32Array.of(5, 4) });
  });

  const wrong: [string, Partial<PackedBatch> | null][] = [
    ["no batch", null],
    ["a partition that is none", { partition: -1 }],
    ["lengths beyond the text", { userLengths: Uint32Array.of(5) }],
    ["text beyond the lengths", { users: "uu" }],
    ["an empty id", { users: "", userLengths: Uint32Array.of(0) }],
    ["an id of 129", { users: "u".repeat(129), userLengths: Uint32Array.of(129) }],
    ["a surrogate pair cut in two", { newItems: "🎧", newItemLengths: Uint32Array.of(1, 1) }],
    ["an item that was never given", { items: Uint32Array.of(0, NEW_ITEM) }],
    ["an item beyond the new ones", { items: Uint32Array.of(NEW_ITEM, NEW_ITEM + 2) }],
    ["an item twice", { items: Uint32Array.of(NEW_ITEM, NEW_ITEM) }],
    ["more items than counted", { counts: Uint32Array.of(1) }],
    ["fewer items than counted", { counts: Uint32Array.of(4294967295) }],
    ["counts of more rows", { counts: Uint32Array.of(1, 1) }],
    ["weights of another length", { weights: new Float32Array(3) }],
    ["a weight that is no number", { weights: Float32Array.of(1, Number.NaN) }],
    ["half a fingerprint", { fingerprints: new Uint32Array(2) }],
    ["numbers of another length", { numbers: new Float64Array(6) }],
    ["an offset that is no number", { numbers: Float64Array.of(1, 1, Number.NaN) }],
    ["another kind of array", { items: new Int32Array(2) as unknown as Uint32Array }],
    ["no array", { weights: [1, 1] as unknown as Float32Array }],
    ["a user that is no text", { users: 7 as unknown as string }],
    ["an erased id that is too long", { erased: "x".repeat(200), erasedLengths: Uint32Array.of(200) }],
  ];
  test.each(wrong)("refuses %s, and applies nothing", (_, change) => {
    expect(() => model.apply(change === null ? (undefined as never) : pack(["u"], ["a", "b"], change))).toThrow(refused);
    expect(model.stats()).toMatchObject({ users: 0, items: 0, fingerprints: 0 });
    expect([...model.apply(pack(["u"], ["a", "b"]))]).toEqual([0, 0, 1]);
  });

  test("refuses handles that are not open, limits out of range, and use after it was closed", () => {
    for (const handle of [0, -1, 1.5, 4_000_000_000, Number.NaN]) expect(() => openNativeModel(handle)).toThrow(refused);
    expect(() => openNativeModel({ ...LIMITS, bucketCap: 0 })).toThrow(refused);
    expect(() => openNativeModel(null as never)).toThrow(refused);
    const other = openNativeModel(model.handle());
    model.apply(pack(["u"], ["a"]));
    model.close();
    model.close();
    expect(() => model.user("u")).toThrow(refused);
    expect(() => model.nearFingerprints(0, 3, 1)).toThrow(refused);
    expect(other.userIds(Uint32Array.of(0))).toEqual(["u"]);
    const handle = other.handle();
    other.close();
    expect(() => openNativeModel(handle)).toThrow(refused);
  });

  test("a query under way when the model is closed still answers", async () => {
    model.apply(pack(["u", "v"], ["a"]));
    const near = model.nearFingerprints(0, 64, 10);
    model.close();
    expect([...(await near).ordinals]).toEqual([1]);
  });

  test("what moves through the bands leaves nothing behind", async () => {
    const users = Array.from({ length: 200 }, (_, i) => `u${i}`);
    const at = (hi: number, lo: number) => Uint32Array.from({ length: 600 }, (_, i) => [hi, lo, 1][i % 3]!);
    model.apply(pack(users, ["a"], { fingerprints: at(1, 1) }));
    const before = model.stats();
    for (let i = 0; i < 300; i++) model.apply(pack(users, ["a"], { fingerprints: at(i % 7, (i * 65_537) % 9) }));
    model.apply(pack(users, ["a"], { fingerprints: at(1, 1) }));
    const after = model.stats();
    expect(after).toMatchObject({ fingerprints: 200, largestBucket: after.largestBucket });
    expect(after.largestBucket).toBeLessThanOrEqual(400);
    // What readers could still hold is freed a little later: a few hundred blocks, not 60,000 rows.
    expect(after.memoryBytes - before.memoryBytes).toBeLessThan(500_000);
    expect((await model.nearFingerprints(0, 3, 1000)).ordinals).toHaveLength(199);
  });

  test("a bucket over its cap is cut, and says so", async () => {
    const small = openNativeModel({ ...LIMITS, bucketCap: 10 });
    small.apply(
      pack(
        Array.from({ length: 30 }, (_, i) => `u${i}`),
        ["a"],
      ),
    );
    const near = await small.nearFingerprints(0, 3, 1000);
    expect(near.truncated).toBe(true);
    expect(near.ordinals).toHaveLength(10);
    expect(small.stats()).toMatchObject({ largestBucket: 30, bucketsOverCap: 4 });
    // Above 3 everyone is looked at, and nothing is cut.
    expect(await small.nearFingerprints(0, 4, 1000)).toMatchObject({ truncated: false, candidates: 30 });
    small.close();
  });
});

// Each row holds one number in every field; a reader who sees two numbers in one row saw half of it.
const READER = `
  const { createRequire } = require("node:module");
  const { parentPort, workerData } = require("node:worker_threads");
  const { ReadModel } = createRequire(workerData.path)(workerData.path);
  const model = new ReadModel(workerData.handle);
  const stop = new Int32Array(workerData.stop);
  const faults = [];
  const check = (ok, what) => { if (!ok && faults.length < 5) faults.push(what); };
  let reads = 0;
  async function read() {
    while (Atomics.load(stop, 0) === 0) {
      for (let i = 0; i < 50; i++) {
        const user = model.user("u" + (i % 40));
        if (user === undefined) continue;
        reads++;
        const n = user.events;
        check(user.offset === n && user.updatedAt === n && user.weights.every((w) => w === n), "torn row " + JSON.stringify(user));
        check(user.items.length === (n % 5) + 1, "items of another row");
        check(parseInt(user.fingerprint.slice(0, 8), 16) === n, "fingerprint of another row");
      }
      const [eventTime, partition, offset] = model.applied();
      check(partition === undefined || eventTime === offset, "torn position");
      const recent = model.recentUsers(20);
      check(recent.length <= 20 && model.userIds(recent).every((id) => id === "" || id.startsWith("u") || id.startsWith("once ")), "recent");
      const ordinals = Uint32Array.from([0, 1, 2, 3]);
      const [near, all, items, together] = await Promise.all([
        model.nearFingerprints(0, 3, 50), model.nearFingerprints(1, 64, 50),
        model.itemsOfNeighbors(ordinals, Float32Array.of(1, 2, 3, 4), new Uint32Array(), 20),
        model.coOccurring(Uint32Array.of(0, 1), Float32Array.of(1, 1), new Uint32Array(), 20),
      ]);
      check(near.distances.every((d) => d <= 3) && new Set(near.ordinals).size === near.ordinals.length, "near");
      check(new Set(all.ordinals).size === all.ordinals.length, "all");
      check([...items.scores, ...together.scores].every((s) => s > 0 && Number.isFinite(s)), "scores");
      model.stats();
    }
  }
  read().then(() => { model.close(); parentPort.postMessage({ reads, faults }); });
  parentPort.postMessage("reading");
`;

test("several threads read whole rows while one writes, grows and erases", async () => {
  const model = openNativeModel(LIMITS);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const names = ["a", "b", "c", "d", "e"];
  const write = (n: number): void => {
    const users = Array.from({ length: 20 }, (_, i) => `u${(n * 3 + i) % 40}`).concat(`once ${n}`);
    const count = (n % 5) + 1;
    const fingerprints = Uint32Array.from({ length: users.length * 3 }, (_, i) => [n, n % 3, 1][i % 3]!);
    const gone = joinTexts(n % 4 === 0 ? [`u${n % 40}`, `once ${n - 50}`] : []);
    model.apply(
      pack(users, names.slice(0, count), {
        fingerprints,
        numbers: new Float64Array(users.length * 3).fill(n),
        weights: new Float32Array(users.length * count).fill(n),
        erased: gone.text,
        erasedLengths: gone.lengths,
      }),
    );
    model.setApplied(0, n, n);
  };
  write(1);
  const workers = [1, 2].map(
    () => new Worker(READER, { eval: true, workerData: { path: addonPath(), handle: model.handle(), stop: stop.buffer } }),
  );
  await Promise.all(workers.map((worker) => once(worker, "message")));
  for (let n = 2; n < 3000; n++) {
    write(n);
    if (n % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  Atomics.store(stop, 0, 1);
  const reports = await Promise.all(
    workers.map(async (worker) => (await once(worker, "message"))[0] as { reads: number; faults: string[] }),
  );
  for (const report of reports) {
    expect(report.faults).toEqual([]);
    expect(report.reads).toBeGreaterThan(0);
  }
  await Promise.all(workers.map((worker) => worker.terminate()));
  model.close();
});
