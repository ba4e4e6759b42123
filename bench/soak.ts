/**
 * A steady stream for a long time: does memory grow? Samples the resident size every two seconds; a row for each tenth of the time.
 *
 *   npm run -s bench -- soak [--minutes 60] [--rate 1000]
 */
import { parseArgs } from "node:util";
import { LoadClient, steadily } from "../test/harness/http-load.js";
import { KindredServer, sleep, temporaryDirectory } from "../test/harness/kindred-process.js";
import { seededRandom } from "../test/harness/seeded-random.js";
import { Results, round } from "./harness/results.js";

/** Of a line fitted by least squares, MiB a minute. */
function slope(samples: readonly { minute: number; mib: number }[]): number {
  const meanX = samples.reduce((sum, { minute }) => sum + minute, 0) / samples.length;
  const meanY = samples.reduce((sum, { mib }) => sum + mib, 0) / samples.length;
  return (
    samples.reduce((sum, { minute, mib }) => sum + (minute - meanX) * (mib - meanY), 0) /
    samples.reduce((sum, { minute }) => sum + (minute - meanX) ** 2, 0)
  );
}

const { values: flags } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    rate: { type: "string", default: "1000" },
    users: { type: "string", default: "5000" },
  },
});
const [minutes, rate, users] = [Number(flags.minutes), Number(flags.rate), Number(flags.users)];
const directory = await temporaryDirectory("soak");
const server = await KindredServer.start(directory.path);
const client = new LoadClient(server.url, 8);
const random = seededRandom(3);
try {
  const samples: { minute: number; mib: number }[] = [];
  const started = Date.now();
  let running = true;
  const sampling = (async () => {
    while (running) {
      samples.push({ minute: (Date.now() - started) / 60_000, mib: (await server.residentBytes()) / 2 ** 20 });
      await sleep(2000);
    }
  })();
  let refused = 0;
  await steadily(rate / 20, minutes * 60, async (i) => {
    const events = Array.from({ length: 20 }, () => {
      const user = random(users);
      return { user: `u${user}`, item: `song:${(user % 100) * 50 + random(50)}`, action: "play", ts: Date.now() };
    });
    if ((await client.post("/v1/events", { events })).status !== 202) refused++;
    if (i % 2 === 0) await client.get(`/v1/recall/u2u?user=u${random(users)}&limit=50`);
  });
  running = false;
  await sampling;
  const results = new Results("soak", `${rate} events a second and ${rate / 40} recalls a second for ${minutes} minutes, ${users} users.`, [
    "minutes",
    "resident MiB, mean",
    "least",
    "most",
    "slope MiB a minute",
  ]);
  for (let tenth = 0; tenth < 10; tenth++) {
    const [from, to] = [(minutes * tenth) / 10, (minutes * (tenth + 1)) / 10];
    const part = samples.filter(({ minute }) => minute >= from && minute < to);
    const sizes = part.map(({ mib }) => mib);
    const mean = sizes.reduce((sum, mib) => sum + mib, 0) / sizes.length;
    results.row(`${round(from)}-${round(to)}`, round(mean), round(Math.min(...sizes)), round(Math.max(...sizes)), round(slope(part), 2));
  }
  // The first half fills profiles, caches, heaps and the graph.
  const settled = samples.filter(({ minute }) => minute >= minutes / 2);
  results.note(`second half: fitted slope ${round(slope(settled), 3)} MiB a minute; ${refused} posts refused`);
  await results.write();
} finally {
  client.close();
  await server.stop();
  await directory.remove();
}
