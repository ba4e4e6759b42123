/** The thread of an Overwriter: moves users by little steps, as the fold does, in micro-batches at a steady rate. */
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { EmbeddedEngine } from "../../index/vector-engine/embedded-engine.js";
import { seededRandom } from "../../test/harness/seeded-random.js";
import { LowRankVectors } from "./low-rank-vectors.js";
import { BATCH, DRIFT, type OverwriterData, type OverwriterOrder, type OverwriterReport } from "./overwriter.js";

const OTHERS = 1000;
const { handle, rows } = workerData as OverwriterData;
const port = parentPort;
if (port === null) throw new Error("this file is the entry of a worker thread");
const engine = EmbeddedEngine.attach(handle);
const { dims } = engine;
const random = seededRandom(17);
const others = new LowRankVectors(18, dims).rows(OTHERS);
const ordinals = new Uint32Array(BATCH);
const vectors = new Float32Array(BATCH * dims);
let rate = 0;
/** What a control writes to. */
let apart: Float32Array | undefined;
let running: Promise<OverwriterReport> | undefined;

/** As much work as an upsert, on memory that no search looks at. */
function writeApart(table: Float32Array): void {
  ordinals.forEach((ordinal, row) => {
    let norm = 0;
    for (let d = 0; d < dims; d++) norm += (vectors[row * dims + d] as number) ** 2;
    const scale = 1 / Math.sqrt(norm);
    for (let d = 0; d < dims; d++) table[ordinal * dims + d] = (vectors[row * dims + d] as number) * scale;
  });
}

/** Stored vectors have length 1, the others sqrt(dims) or so. */
function move(ordinal: number, row: number): void {
  const now = engine.vector(ordinal) ?? new Float32Array(dims);
  const other = random(OTHERS) * dims;
  const share = DRIFT / Math.sqrt(dims);
  ordinals[row] = ordinal;
  for (let d = 0; d < dims; d++) vectors[row * dims + d] = (now[d] as number) * (1 - DRIFT) + (others[other + d] as number) * share;
}

async function overwrite(): Promise<OverwriterReport> {
  const began = performance.now();
  let batches = 0;
  let slowestMs = 0;
  while (rate > 0) {
    const due = ((performance.now() - began) / 1000) * (rate / BATCH);
    for (; batches < due && rate > 0; batches++) {
      for (let row = 0; row < BATCH; row++) move(random(rows), row);
      const at = performance.now();
      if (apart === undefined) engine.upsert({ ordinals, vectors });
      else writeApart(apart);
      slowestMs = Math.max(slowestMs, performance.now() - at);
      // The order to stop comes as a message.
      if (batches % 64 === 63) await sleep(0);
    }
    await sleep(1);
  }
  return { overwrites: batches * BATCH, perSecond: (batches * BATCH) / ((performance.now() - began) / 1000), slowestMs };
}

port.on("message", async (order: OverwriterOrder) => {
  rate = order.rate;
  apart = order.control ? new Float32Array(rows * dims) : undefined;
  if (rate > 0) running = overwrite();
  else port.postMessage(await running);
});
