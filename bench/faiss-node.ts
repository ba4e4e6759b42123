/**
 * The npm package faiss-node beside our own engine: CPU of a search and of updates, with the recall both find, in one run
 * on the same seeded vectors (16 latent dimensions and noise, as pooled vectors of people have structure).
 *
 *   npm run -s bench -- faiss-node [--rows 100000] [--dims 64] [--searches 1000]     (node setup/faiss-node.mjs first)
 *
 * What the package cannot do at all is shown by bench/faiss-node/why-not.mjs.
 */
import { parseArgs } from "node:util";
import { EmbeddedEngine } from "../index/vector-engine/embedded-engine.js";
import { FaissNodeEngine } from "../index/vector-engine/faiss-node-engine.js";
import { type FaissNodeIndex, loadFaissNode } from "../index/vector-engine/faiss-node-package.js";
import type { Generation } from "../schemas/ids.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "100000" },
    dims: { type: "string", default: "64" },
    searches: { type: "string", default: "1000" },
  },
});
const [rows, dims, searches] = [Number(flags.rows), Number(flags.dims), Number(flags.searches)];
const [LATENT, NOISE, K, EF, UPDATES, SAMPLES, M] = [16, 0.05, 50, 128, 1_000, 200, 32];
const GENERATION = 1 as Generation;

const random = seededRandom(11);
const normal = (): number => {
  const [a, b] = [(random(1e9) + 1) / 1e9, random(1e9) / 1e9];
  return Math.sqrt(-2 * Math.log(a)) * Math.cos(2 * Math.PI * b);
};
const basis = Float32Array.from({ length: LATENT * dims }, normal);
/** Unit vectors, row-major. */
function vectorsOf(count: number): Float32Array {
  const all = new Float32Array(count * dims);
  for (let i = 0; i < count; i++) {
    const row = all.subarray(i * dims, (i + 1) * dims);
    for (let l = 0; l < LATENT; l++) {
      const weight = normal();
      for (let d = 0; d < dims; d++) row[d] = (row[d] as number) + weight * (basis[l * dims + d] as number);
    }
    for (let d = 0; d < dims; d++) row[d] = (row[d] as number) + NOISE * LATENT * normal();
    const length = Math.hypot(...row);
    for (let d = 0; d < dims; d++) row[d] = (row[d] as number) / length;
  }
  return all;
}
const rowOf = (all: Float32Array, i: number): Float32Array => all.slice(i * dims, (i + 1) * dims);
const upTo = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => i);

/** CPU seconds of this process, all threads, that `work` takes. */
async function cpuOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

// As the command line sets it, before anything loads OpenMP: with more threads each search waits for all of them to be scheduled.
process.env["OMP_NUM_THREADS"] ??= "1";
const faiss = await loadFaissNode();
const table = vectorsOf(rows);
const queries = vectorsOf(Math.max(searches, SAMPLES));
const fresh = vectorsOf(UPDATES);
/** Whom the updates move: spread over all. */
const movedOrdinals = Uint32Array.from({ length: UPDATES }, (_, i) => Math.floor((i * rows) / UPDATES));

interface Contender {
  readonly name: string;
  build(): Promise<void>;
  search(query: Float32Array): Promise<Uint32Array>;
  /** One call an update, as events come. */
  update(): Promise<void>;
}

const vectors = (): EmbeddedEngine => EmbeddedEngine.create({ dims, metric: "cosine", generation: GENERATION, ef: EF, scanRowsPerEf: 0 });
const own = vectors();
const beneath = vectors();
const engine = new FaissNodeEngine(faiss, beneath, { m: M, ef: EF, minGraphRows: 1, minRecall: 0, scanRowsPerEf: 0 });
let bare: FaissNodeIndex;
/** The package alone has neither ids nor replacement: labels of updated rows lead to their ordinals, older ones stay. */
const ordinalOf = Array.from(upTo(rows));

const CONTENDERS: readonly Contender[] = [
  {
    name: "kindred, embedded engine",
    build: async () => {
      own.upsert({ ordinals: upTo(rows), vectors: table });
      await (await (await own.stage(0, { m: M, efConstruction: 200 })).verify()).publish(0);
    },
    search: async (query) => (await own.search(query, { k: K })).ordinals,
    update: async () => {
      movedOrdinals.forEach((ordinal, i) => void own.upsert({ ordinals: Uint32Array.of(ordinal), vectors: rowOf(fresh, i) }));
    },
  },
  {
    name: "kindred over faiss-node (index.engine: faiss-node)",
    build: async () => {
      engine.upsert({ ordinals: upTo(rows), vectors: table });
      await engine.settled();
    },
    search: async (query) => (await engine.search(query, { k: K })).ordinals,
    update: async () => {
      movedOrdinals.forEach((ordinal, i) => void engine.upsert({ ordinals: Uint32Array.of(ordinal), vectors: rowOf(fresh, i) }));
    },
  },
  {
    name: "faiss-node alone",
    build: async () => {
      bare = faiss.Index.fromFactory(dims, `HNSW${M},Flat`, faiss.MetricType.METRIC_INNER_PRODUCT);
      for (let at = 0; at < rows; at += 10_000) bare.add(Array.from(table.subarray(at * dims, Math.min(rows, at + 10_000) * dims)));
    },
    search: async (query) => {
      const { labels } = bare.search(Array.from(query), EF);
      return Uint32Array.from(new Set(labels.slice(0, K).map((label) => ordinalOf[label] as number)));
    },
    update: async () => {
      movedOrdinals.forEach((ordinal, i) => {
        bare.add(Array.from(rowOf(fresh, i)));
        ordinalOf.push(ordinal);
      });
    },
  },
];

async function recallOf(search: Contender["search"]): Promise<number> {
  let sum = 0;
  for (let i = 0; i < SAMPLES; i++) {
    const truth = new Set((await own.searchExact(rowOf(queries, i), { k: K })).ordinals);
    sum += [...(await search(rowOf(queries, i)))].filter((ordinal) => truth.has(ordinal)).length / K;
  }
  return sum / SAMPLES;
}

async function searchUs(search: Contender["search"]): Promise<number> {
  for (let i = 0; i < SAMPLES; i++) await search(rowOf(queries, i));
  const seconds = await cpuOf(async () => {
    for (let i = 0; i < searches; i++) await search(rowOf(queries, i));
  });
  return (seconds / searches) * 1e6;
}

const results = new Results(
  "faiss-node",
  `The package faiss-node beside our own engine: ${rows} vectors of ${dims} dimensions, k = ${K}, M = ${M}, breadth ${EF}, CPU of all threads.`,
  [
    "engine",
    "build, CPU s",
    "search, CPU us",
    `recall@${K}`,
    `${UPDATES} updates, CPU ms`,
    "search after them, CPU us",
    `recall@${K} after them`,
  ],
);
const before: (readonly [number, number])[] = [];
for (const { build, search } of CONTENDERS) before.push([await cpuOf(build), await searchUs(search)]);
// The truth is our own table's: first everyone is asked before the updates, then everyone is updated.
const recalls: number[] = [];
for (const { search } of CONTENDERS) recalls.push(await recallOf(search));
const updates: number[] = [];
for (const { update } of CONTENDERS) updates.push((await cpuOf(update)) * 1e3);
for (const [i, { name, search }] of CONTENDERS.entries()) {
  const [seconds, us] = before[i] as readonly [number, number];
  results.row(
    name,
    round(seconds),
    round(us),
    round(recalls[i] as number, 4),
    round(updates[i] as number),
    round(await searchUs(search)),
    round(await recallOf(search), 4),
  );
}
results.note(
  "An update of kindred's engines is written into the live table; the graph follows when a fifth of the rows are new or moved: rebuilt in the " +
    "background by the embedded engine, added row by row in the answering thread by faiss-node's. faiss-node alone adds a node at once and keeps the old one.",
);
results.note(
  `OMP_NUM_THREADS: ${process.env["OMP_NUM_THREADS"]}. Embedded graphs are built with efConstruction 200, faiss-node's with the 40 that cannot be changed.`,
);
await results.write();
await engine.close();
await own.close();
