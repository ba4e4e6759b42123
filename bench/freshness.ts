/**
 * How long until behaviour shows: 1,000 events a second into a running server with USERS listeners.
 * (1) accepted -> recallable, the server's own histogram of every event; (2) as a client sees it: POST, then a recall with
 * `after=` that token; (3) others: X plays what Y plays, until X stands in Y's answer.
 *
 *   npm run -s bench -- freshness [--seconds 60] [--users 20000] [--rate 1000]
 */
import { parseArgs } from "node:util";
import { LoadClient, steadily } from "../test/harness/http-load.js";
import { KindredServer, sleep, temporaryDirectory } from "../test/harness/kindred-process.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { quantile, Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    users: { type: "string", default: "20000" },
    rate: { type: "string", default: "1000" },
  },
});
const [seconds, users, rate] = [Number(flags.seconds), Number(flags.users), Number(flags.rate)];
const EVENTS_A_POST = 10;

const random = seededRandom(7);
/** People of one of 200 tastes play its 60 songs. */
const event = (user: number): object => ({
  user: `u${user}`,
  item: `song:${(user % 200) * 60 + random(60)}`,
  action: "play",
  ts: Date.now(),
});

/** A quantile of a Prometheus histogram by linear interpolation, in its unit. */
function histogramQuantile(metrics: string, name: string, q: number): number {
  const buckets = [...metrics.matchAll(new RegExp(`^${name}_bucket\\{[^}]*le="([^"]+)"[^}]*\\} (\\d+)`, "gm"))].map(([, le, count]) => ({
    le: le === "+Inf" ? Infinity : Number(le),
    count: Number(count),
  }));
  const total = buckets.at(-1)?.count ?? 0;
  let [below, countBelow] = [0, 0];
  for (const { le, count } of buckets) {
    if (count >= q * total)
      return le === Infinity ? below : below + ((le - below) * (q * total - countBelow)) / Math.max(1, count - countBelow);
    [below, countBelow] = [le, count];
  }
  return Number.NaN;
}

const directory = await temporaryDirectory("freshness");
const server = await KindredServer.start(directory.path);
const client = new LoadClient(server.url, 16);
try {
  for (let from = 0; from < users * 10; from += 5000)
    for (;;) {
      const answer = await client.post("/v1/events", { events: Array.from({ length: 5000 }, (_, i) => event((from + i) % users)) });
      if (answer.status === 202) break;
      await sleep(200);
    }
  await client
    .post("/v1/events", { events: [event(0)] })
    .then(async ({ body }) => client.get(`/v1/recall/u2u?user=u0&after=${JSON.parse(body).position}&waitMs=1000`));
  // The updater's thread tells its counts every few seconds.
  await sleep(15_000);

  const before = (await client.get("/metrics")).body;
  const asked: number[] = [];
  const seen: number[] = [];
  let stale = 0;
  const cpu = await server.cpuSeconds();
  const load = steadily(rate / EVENTS_A_POST, seconds, () =>
    client.post("/v1/events", { events: Array.from({ length: EVENTS_A_POST }, () => event(random(users))) }),
  );
  const probes = steadily(20, seconds, async (i) => {
    const started = performance.now();
    const { position } = JSON.parse((await client.post("/v1/events", { events: [event(random(users))] })).body) as { position: string };
    const answer = JSON.parse((await client.get(`/v1/recall/u2u?user=u${random(users)}&limit=50&after=${position}`)).body) as {
      fresh: boolean;
    };
    if (!answer.fresh) stale++;
    asked.push(performance.now() - started);
    if (i % 10 !== 0) return;
    // X is new and plays just what Y, also new, plays: how long until Y's answer has X?
    const [x, y] = [`x${i}`, `y${i}`];
    const songs = [0, 1, 2].map((k) => ({ item: `song:probe-${i}-${k}`, action: "play", ts: Date.now() }));
    await client.post("/v1/events", { events: songs.map((song) => ({ user: y, ...song })) });
    await sleep(100);
    const posted = performance.now();
    await client.post("/v1/events", { events: songs.map((song) => ({ user: x, ...song })) });
    for (;;) {
      const found = JSON.parse((await client.get(`/v1/recall/u2u?user=${y}&limit=10`)).body) as { results: { id: string }[] };
      if (found.results.some(({ id }) => id === x)) break;
      if (performance.now() - posted > 5000) throw new Error(`${x} never showed in the answer of ${y}`);
    }
    seen.push(performance.now() - posted);
  });
  await Promise.all([load, probes]);
  const cpuUsed = (await server.cpuSeconds()) - cpu;
  await sleep(10_000);
  const after = (await client.get("/metrics")).body;

  const results = new Results(
    "freshness",
    `A server with ${users} users, ${rate} events a second posted for ${seconds} s while it answers recalls.`,
    ["what", "p50 ms", "p99 ms", "n"],
  );
  const difference = subtractHistograms(after, before, "kindred_event_to_recall_seconds");
  results.row(
    "accepted → recallable, every event, by the server",
    round(1000 * histogramQuantile(difference, "kindred_event_to_recall_seconds", 0.5)),
    round(1000 * histogramQuantile(difference, "kindred_event_to_recall_seconds", 0.99)),
    rate * seconds,
  );
  results.row("POST and then a recall with after=, by the client", round(quantile(asked, 0.5)), round(quantile(asked, 0.99)), asked.length);
  results.row(
    "an event of X → X in Y's answer, from before the POST, by the client",
    round(quantile(seen, 0.5)),
    round(quantile(seen, 0.99)),
    seen.length,
  );
  results.note(`${stale} answers were not fresh within waitMs; the server used ${round(cpuUsed / seconds, 2)} CPU seconds a second`);
  await results.write();
} finally {
  client.close();
  await server.stop();
  await directory.remove();
}

/** The text of a histogram with the counts of an earlier reading taken off. */
function subtractHistograms(after: string, before: string, name: string): string {
  const line = new RegExp(`^(${name}_bucket\\{[^}]*\\}) (\\d+)`, "gm");
  const earlier = new Map([...before.matchAll(line)].map(([, key, count]) => [key, Number(count)]));
  return [...after.matchAll(line)].map(([, key, count]) => `${key} ${Number(count) - (earlier.get(key) ?? 0)}`).join("\n");
}
