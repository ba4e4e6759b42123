/**
 * Recall over HTTP on the same two cores as its load generator, idle and while 500 events a second are folded.
 *
 *   npm run -s bench -- recall-latency [--users 20000] [--seconds 20] [--connections 16]
 */
import { parseArgs } from "node:util";
import { LoadClient, saturate, steadily } from "../test/harness/http-load.js";
import { KindredServer, sleep, temporaryDirectory } from "../test/harness/kindred-process.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { quantile, Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: {
    users: { type: "string", default: "20000" },
    seconds: { type: "string", default: "20" },
    connections: { type: "string", default: "16" },
  },
});
const [users, seconds, connections] = [Number(flags.users), Number(flags.seconds), Number(flags.connections)];
const random = seededRandom(11);
const event = (user: number): object => ({
  user: `u${user}`,
  item: `song:${(user % 200) * 60 + random(60)}`,
  action: "play",
  ts: Date.now(),
});
const directory = await temporaryDirectory("latency");
const server = await KindredServer.start(directory.path);
const client = new LoadClient(server.url, connections + 4);
try {
  for (let from = 0; from < users * 12; from += 5000)
    while ((await client.post("/v1/events", { events: Array.from({ length: 5000 }, (_, i) => event((from + i) % users)) })).status !== 202)
      await sleep(200);
  await sleep(8000);
  const results = new Results(
    "recall-latency",
    `u2u, u2u2i and i2i of 50 results with ${users} users, ${connections} connections, ${seconds} s each.`,
    ["scenario", "meanwhile", "requests/s", "p50 ms", "p99 ms", "server CPU us a request", "failed"],
  );
  for (const [scenario, meanwhile] of [
    ["u2u", 0],
    ["u2u", 500],
    ["u2u2i", 0],
    ["i2i", 0],
    ["u2i", 0],
  ] as const) {
    const cpu = await server.cpuSeconds();
    const folding =
      meanwhile > 0
        ? steadily(meanwhile / 10, seconds, () =>
            client.post("/v1/events", { events: Array.from({ length: 10 }, () => event(random(users))) }),
          )
        : Promise.resolve();
    const path =
      scenario === "i2i"
        ? () => `/v1/recall/i2i?item=song:${random(12_000)}&limit=50`
        : () => `/v1/recall/${scenario}?user=u${random(users)}&limit=50`;
    const { ms, failed, perSecond } = await saturate(connections, seconds, () => client.get(path()));
    await folding;
    results.row(
      scenario,
      meanwhile === 0 ? "idle" : `${meanwhile} events/s`,
      round(perSecond, 0),
      round(quantile(ms, 0.5), 2),
      round(quantile(ms, 0.99), 2),
      round((((await server.cpuSeconds()) - cpu) * 1e6) / Math.max(1, ms.length), 0),
      failed.length,
    );
  }
  await results.write();
} finally {
  client.close();
  await server.stop();
  await directory.remove();
}
