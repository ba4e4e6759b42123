import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import * as fc from "fast-check";
import { afterEach, expect, it } from "vitest";
import { addonPath, loadAddon } from "../../native/addon.js";
import {
  attachVectorIndex,
  crc32c,
  createVectorIndex,
  type NativeIndexOptions,
  type NativeVectorIndex,
} from "../../native/vector-index.js";

const OPTIONS: NativeIndexOptions = {
  dims: 16,
  metric: "cosine",
  storage: "float32",
  shards: 1,
  driftCosine: 0.9,
  ef: 64,
  scanRowsPerEf: 0,
  generation: 0,
};
const opened: NativeVectorIndex[] = [];
const create = (more: Partial<NativeIndexOptions> = {}): NativeVectorIndex => {
  const index = createVectorIndex({ ...OPTIONS, ...more });
  opened.push(index);
  return index;
};
afterEach(() => {
  for (const index of opened.splice(0)) index.close();
});
const rows = (count: number, dims = 16, seed = 1): Float32Array =>
  Float32Array.from({ length: count * dims }, (_, i) => Math.sin((i + 1) * 12.9898 * seed));
const upTo = (count: number, first = 0): Uint32Array => Uint32Array.from({ length: count }, (_, i) => first + i);
const find = (index: NativeVectorIndex, query: Float32Array, k: number): Promise<{ ordinals: Uint32Array; scores: Float32Array }> =>
  index.search(query, k, 0, undefined, undefined, 0, false);

it("has the checksum of RFC 3720, in one piece or several", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  const bytes = Buffer.from(rows(20).buffer);
  for (const cut of [0, 1, 7, 8, 9, 63]) expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(crc32c(bytes));
});

it("refuses options out of range, by code", () => {
  const bad: object[] = [
    { dims: 0 },
    { dims: 4097 },
    { dims: 1.5 },
    { dims: "16" },
    { metric: "l2" },
    { storage: "int4" },
    { shards: 0 },
    { shards: 256 },
    { driftCosine: 2 },
    { ef: 0 },
    { scanRowsPerEf: -1 },
    { longestShare: 1.5 },
    { generation: Number.NaN },
  ];
  for (const more of bad)
    expect(() => create(more as Partial<NativeIndexOptions>)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  expect(() => createVectorIndex(undefined as never)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  expect(() => attachVectorIndex(4_000_000)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});

it("survives any arguments: an error with a code, or an answer", async () => {
  const index = create();
  index.upsert(upTo(100), rows(100));
  const odd = fc.oneof(
    fc.anything(),
    fc.constantFrom(rows(1), rows(2), new Float32Array(15), upTo(3), new Uint8Array(4), Number.NaN, -1, 2 ** 40, index, null, undefined, 7),
  );
  const methods = ["upsert", "remove", "vector", "search", "verify", "publish", "measureRecall", "freeze", "load"] as const;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...methods), fc.array(odd, { maxLength: 7 }), async (method, args) => {
      try {
        await (index[method] as (...args: unknown[]) => unknown)(...args);
      } catch (error) {
        expect((error as { code?: string }).code ?? (error as Error).name).toMatch(/^(INVALID_ARGUMENT|SHARD_CORRUPT|TypeError)$/);
      }
    }),
    { numRuns: 600 },
  );
  expect((await find(index, rows(1), 1)).ordinals.length).toBe(1);
});

it("refuses an ordinal that leaps far beyond the others, and numbers whose products are not finite", () => {
  const index = create({ metric: "inner-product" });
  const code = expect.objectContaining({ code: "INVALID_ARGUMENT" });
  expect(() => index.upsert(Uint32Array.of(1 << 30), rows(1))).toThrow(code);
  expect(() => index.upsert(Uint32Array.of(2 ** 32 - 1), rows(1))).toThrow(code);
  expect(() => index.upsert(Uint32Array.of(0), rows(1).fill(1e30))).toThrow(code);
  expect(() => create({ metric: "inner-product", storage: "float16" }).upsert(Uint32Array.of(0), rows(1).fill(1e5))).toThrow(code);
  expect(index.size).toBe(0);
});

it("answers with OUT_OF_MEMORY where memory is refused, and lives on", async () => {
  // A process of its own with a limited address space. Its threads are there before memory runs out.
  const code = `
    const index = require(${JSON.stringify(addonPath())}).createVectorIndex(${JSON.stringify({ ...OPTIONS, dims: 1024 })});
    const rows = 1000, ordinals = new Uint32Array(rows), vectors = new Float32Array(rows * 1024).fill(1);
    const find = () => index.search(vectors.subarray(0, 1024), 1, 0, undefined, undefined, 0, true);
    Promise.all([find(), find(), find(), find()]).then(async () => {
      let failed;
      for (let batch = 0; batch < 4000 && !failed; batch++) {
        ordinals.forEach((_, i) => { ordinals[i] = batch * rows + i; });
        const before = index.size;
        try { index.upsert(ordinals, vectors); } catch (error) { failed = index.size === before ? error.code : "half applied"; }
      }
      const found = await find();
      console.log(failed, found.ordinals.length, found.ordinals[0]);
    });`;
  const { stdout } = await promisify(execFile)("sh", [
    "-c",
    'ulimit -v 3000000; exec "$0" --max-old-space-size=200 -e "$1"',
    process.execPath,
    code,
  ]);
  expect(stdout.trim()).toBe("OUT_OF_MEMORY 1 0");
});

it("is one index for all threads: attached by handle, written by one, searched by several, while graphs are swapped", async () => {
  const index = create({ dims: 16 });
  index.upsert(upTo(3000), rows(3000));
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    const addon = require(workerData.addon);
    const index = addon.attachVectorIndex(workerData.handle);
    (async () => {
      let asked = 0;
      for (; asked < 400; asked++) {
        const query = Float32Array.from({ length: 16 }, (_, i) => Math.sin(asked * 31 + i + workerData.seed));
        const found = await index.search(query, 20, 0, undefined, undefined, 0, asked % 5 === 0);
        if (found.ordinals.length !== 20) throw new Error("found " + found.ordinals.length);
        for (let i = 1; i < 20; i++) if (!(found.scores[i - 1] >= found.scores[i])) throw new Error("out of order");
      }
      if (workerData.seed % 2 === 0) index.close();
      parentPort.postMessage(asked);
    })();`;
  const workers = [1, 2, 3].map((seed) => new Worker(code, { eval: true, workerData: { addon: addonPath(), handle: index.handle, seed } }));
  const ends = workers.map((worker) => new Promise<number>((resolve, reject) => worker.on("message", resolve).on("error", reject)));
  let running = true;
  const all = Promise.all(ends).finally(() => {
    running = false;
  });
  for (let swap = 0; running || swap < 2; swap++) {
    index.upsert(upTo(500, (swap % 6) * 500), rows(500, 16, 1 + swap));
    const staged = await index.build(0, 8, 40, swap);
    if (staged === undefined) throw new Error("cancelled");
    await index.verify(staged, 16, 10, 0, swap);
    await index.publish(staged, 0);
  }
  expect(await all).toEqual([400, 400, 400]);
  await Promise.all(workers.map((worker) => worker.terminate()));
  index.close();
  expect(() => attachVectorIndex(index.handle)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});

it("survives the end of a worker with searches and a build under way", async () => {
  const index = create({ dims: 64 });
  index.upsert(upTo(8000), rows(8000, 64));
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    const index = require(workerData.addon).attachVectorIndex(workerData.handle);
    index.build(0, 16, 200, 1).catch(() => {});
    for (let i = 0; i < 200; i++) index.search(new Float32Array(64).fill(1), 10, 0, undefined, undefined, 0, true);
    parentPort.postMessage("under way");`;
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(code, { eval: true, workerData: { addon: addonPath(), handle: index.handle } });
    await new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject));
    await worker.terminate();
  }
  expect((await find(index, new Float32Array(64).fill(1), 5)).ordinals.length).toBe(5);
  const staged = await index.build(0, 8, 20, 1);
  expect(staged?.nodes).toBe(8000);
});

it("frees the graphs and vectors that nobody reads any more", async () => {
  const index = create({ dims: 32 });
  for (let swap = 0; swap < 5; swap++) {
    index.upsert(upTo(2000), rows(2000, 32, swap + 1));
    const staged = await index.build(0, 8, 20, swap);
    if (staged === undefined) throw new Error("cancelled");
    await index.verify(staged, 4, 10, 0, 1);
    await index.publish(staged, 0);
  }
  const { retired, swaps } = index.stats();
  expect([retired, swaps]).toEqual([0, 5]);
  index.upsert(upTo(1), rows(1, 32));
  index.upsert(upTo(1), rows(1, 32));
  expect(index.stats().limboSlots).toBeLessThanOrEqual(1);
  // 2,000 rows of 128 bytes, twice for the spare slots.
  expect(index.stats().memoryBytes.table).toBeLessThan(4 << 20);
});

it("does nothing on a second build", async () => {
  const root = join(addonPath(), "..", "..", "..");
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, "native", "build.mjs")]);
  expect(stdout).toBe("");
  expect(loadAddon()).toBe(loadAddon());
});
