/**
 * A model published to a server with USERS listeners while events and recalls go on, gone back from, and a third beside it: what recalls
 * notice, how long it takes, and what generations cost in memory.
 *
 *   npm run -s bench -- publish [--users 20000] [--dims 64] [--rate 300] [--asks 100]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ItemId } from "../schemas/ids.js";
import { LoadClient, steadily } from "../test/harness/http-load.js";
import { KindredServer, sleep, temporaryDirectory } from "../test/harness/kindred-process.js";
import { writeModel } from "../test/harness/made-model.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { quantile, Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: {
    users: { type: "string", default: "20000" },
    dims: { type: "string", default: "64" },
    rate: { type: "string", default: "300" },
    asks: { type: "string", default: "100" },
  },
});
const [users, dims, rate, asks] = [Number(flags.users), Number(flags.dims), Number(flags.rate), Number(flags.asks)];
const TASTES = 200;
const SONGS = 60 * TASTES;
const EVENTS_EACH = 30;
const EVENTS_A_POST = 10;
const QUIET_SECONDS = 15;
const random = seededRandom(13);
const event = (user: number): object => ({
  user: `u${user}`,
  item: `song:${(user % TASTES) * 60 + random(60)}`,
  action: "play",
  ts: Date.now(),
});

/** Songs of one taste lie near each other, as a trained model would have them. */
function madeModel(directory: string, seed: number): Promise<string> {
  const at = seededRandom(seed);
  const number = (): number => at(2001) / 1000 - 1;
  const tastes = Float32Array.from({ length: TASTES * dims }, number);
  const table = () => ({
    dims,
    values: Float32Array.from(
      { length: SONGS * dims },
      (_, i) => (tastes[Math.floor(i / dims / 60) * dims + (i % dims)] ?? 0) + 0.5 * number(),
    ),
  });
  const items = Array.from({ length: SONGS }, (_, i) => `song:${i}` as ItemId);
  return writeModel(directory, { items, input: table(), output: table() }, seed);
}

interface Asked {
  readonly atMs: number;
  readonly ms: number;
  readonly generation: number;
  readonly fault?: string;
}
interface Live {
  readonly active: number;
  readonly generations: readonly { readonly id: number; readonly state: string }[];
}

const directory = await temporaryDirectory("publish-bench");
const server = await KindredServer.start(join(directory.path, "data"));
const client = new LoadClient(server.url, 24);
const ask = async <T>(path: string, body?: unknown): Promise<T> => {
  const answer = await (body === undefined ? client.get(path) : client.post(path, body));
  if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body) as T;
};
const live = (): Promise<Live> => ask<Live>("/v1/generations");
const asked: Asked[] = [];

async function recallOnce(i: number): Promise<void> {
  const [scenario, explain] = [i % 2 === 0 ? "u2u" : "u2i", i % 5 === 0];
  const atMs = performance.now();
  const answer = await client.get(`/v1/recall/${scenario}?user=u${random(users)}&limit=50&explain=${explain}`);
  const ms = performance.now() - atMs;
  if (answer.status !== 200) {
    asked.push({ atMs, ms, generation: -1, fault: `status ${answer.status}` });
    return;
  }
  const { generation, rung, results } = JSON.parse(answer.body) as {
    generation: number;
    rung: string;
    results: { score: number; explanation?: { items: { contribution: number }[]; other: number } }[];
  };
  // Generation 0 has no vectors of items, the others do; an explanation in another space would not add up.
  const mixed = scenario === "u2i" && (rung === "vector") !== generation > 0;
  const unexplained = results.some(
    ({ score, explanation: e }) => e && Math.abs(e.items.reduce((sum, { contribution }) => sum + contribution, e.other) - score) > 1e-3,
  );
  asked.push({ atMs, ms, generation, ...(results.length === 0 || mixed || unexplained ? { fault: `mixed or empty on ${rung}` } : {}) });
}

/** From the call until it answers. */
async function publish(model: string): Promise<{ pooledMs: number; activeMs: number }> {
  const began = performance.now();
  const { id } = await ask<{ id: number }>("/v1/generations", { folder: model });
  let pooledMs = 0;
  for (;;) {
    const { active, generations } = await live();
    const state = generations.find((one) => one.id === id)?.state;
    if (state !== "pooling" && pooledMs === 0) pooledMs = performance.now() - began;
    if (active === id) return { pooledMs, activeMs: performance.now() - began };
    await sleep(20);
  }
}

try {
  for (let from = 0; from < users * EVENTS_EACH; from += 5000)
    while ((await client.post("/v1/events", { events: Array.from({ length: 5000 }, (_, i) => event((from + i) % users)) })).status !== 202)
      await sleep(200);
  await sleep(10_000);
  const [first, second] = [await madeModel(join(directory.path, "one"), 1), await madeModel(join(directory.path, "two"), 2)];
  const mib = async (): Promise<number> => round((await server.residentBytes()) / 2 ** 20, 0);
  const memory = [await mib()];
  let going = true;
  const whileGoing = async (perSecond: number, step: (i: number) => Promise<unknown>): Promise<void> => {
    for (let second = 0; going; second++) await steadily(perSecond, 1, (i) => step(second * perSecond + i));
  };
  const load = whileGoing(rate / EVENTS_A_POST, () =>
    client.post("/v1/events", { events: Array.from({ length: EVENTS_A_POST }, () => event(random(users))) }),
  );
  const recalls = whileGoing(asks, recallOnce);
  const marks: [string, number, number][] = [];
  const mark = async (name: string): Promise<void> => void marks.push([name, performance.now(), await server.cpuSeconds()]);
  await mark("before, generation 0");
  await sleep(QUIET_SECONDS * 1000);
  await mark("while it is pooled and built");
  const one = await publish(first);
  await mark("after, generation 1");
  await sleep(QUIET_SECONDS * 1000);
  memory.push(await mib());
  await mark("gone back, generation 0");
  await ask("/v1/generations/0/activate", {});
  await sleep(QUIET_SECONDS * 1000);
  await mark("while a third is pooled and built");
  const two = await publish(second);
  await mark("after, generation 2 of three that are live");
  await sleep(QUIET_SECONDS * 1000);
  memory.push(await mib());
  await mark("end");
  going = false;
  await Promise.all([load, recalls]);

  const results = new Results(
    "publish",
    `Models of ${SONGS} items and ${dims} dimensions published to a server with ${users} users, ${rate} events and ${asks} recalls (u2u, u2i, every fifth explained) a second meanwhile.`,
    ["phase", "seconds", "server CPU s", "recalls", "failed", "of two spaces", "p50 ms", "p99 ms"],
  );
  for (const [i, [name, from, cpu]] of marks.slice(0, -1).entries()) {
    const [, to, cpuTo] = marks[i + 1] as (typeof marks)[number];
    const of = asked.filter(({ atMs }) => atMs >= from && atMs < to);
    const ms = of.map((each) => each.ms);
    const faults = of.filter(({ fault }) => fault !== undefined);
    const failed = faults.filter(({ generation }) => generation < 0).length;
    results.row(
      name,
      round((to - from) / 1000),
      round(cpuTo - cpu),
      of.length,
      failed,
      faults.length - failed,
      round(quantile(ms, 0.5), 2),
      round(quantile(ms, 0.99), 1),
    );
  }
  const said = ({ pooledMs, activeMs }: typeof one): string =>
    `${round(pooledMs / 1000)} s to every user pooled, ${round(activeMs / 1000)} s to answering`;
  results.note(`from the call: ${said(one)}; the third: ${said(two)}`);
  results.note(`resident memory: ${memory[0]} MiB with generation 0, ${memory[1]} with two, ${memory[2]} with three`);
  const faults = new Map<string, number>();
  for (const { fault } of asked) if (fault !== undefined) faults.set(fault, (faults.get(fault) ?? 0) + 1);
  for (const [fault, count] of faults) results.note(`${count} x ${fault}`);
  await results.write();
} finally {
  client.close();
  await server.stop();
  await directory.remove();
}
