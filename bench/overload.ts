/**
 * Producers faster than fold: as many posts of 5,000 events as the server takes, for a while. What it refuses must be told to
 * wait, what it acknowledged must all be folded, and memory must stay bounded.
 *
 *   npm run -s bench -- overload [--seconds 30]
 */
import { parseArgs } from "node:util";
import { LoadClient } from "../test/harness/http-load.js";
import { KindredServer, kindredJson, sleep, temporaryDirectory } from "../test/harness/kindred-process.js";
import { Results, round } from "./harness/results.js";

const { values: flags } = parseArgs({
  options: { seconds: { type: "string", default: "30" }, "max-lag": { type: "string", default: "100000" } },
});
const seconds = Number(flags.seconds);
const directory = await temporaryDirectory("overload");
const server = await KindredServer.start(directory.path, { env: { KINDRED_JOURNAL__MAX_LAG_EVENTS: flags["max-lag"] } });
const client = new LoadClient(server.url, 16);
try {
  let [acknowledged, taken, refused, withoutRetryAfter, other] = [0, 0, 0, 0, 0];
  let position = "";
  let peak = 0;
  let running = true;
  const memory = (async () => {
    while (running) {
      peak = Math.max(peak, await server.residentBytes());
      await sleep(200);
    }
  })();
  const started = performance.now();
  await Promise.all(
    Array.from({ length: 16 }, async (_, producer) => {
      for (let i = 0; performance.now() - started < seconds * 1000; i++) {
        const events = Array.from({ length: 5000 }, (_, k) => ({
          user: `p${producer}-${(i * 5000 + k) % 3000}`,
          item: `song:${(i * 31 + k * 7) % 20_000}`,
          action: "play",
          ts: 1_700_000_000_000 + i,
        }));
        const answer = await client.post("/v1/events", { events });
        if (answer.status === 202) {
          taken++;
          acknowledged += events.length;
          position = (JSON.parse(answer.body) as { position: string }).position;
        } else if (answer.status === 503 || answer.status === 429) {
          refused++;
          if (answer.retryAfter === undefined) withoutRetryAfter++;
          await sleep(20);
        } else other++;
      }
    }),
  );
  for (let fresh = false; !fresh; )
    fresh = (JSON.parse((await client.get(`/v1/recall/u2u?user=p0-0&after=${position}&waitMs=1000`)).body) as { fresh: boolean }).fresh;
  await sleep(3000);
  running = false;
  await memory;
  let folded = 0;
  for (let producer = 0; producer < 16; producer++)
    for (let user = 0; user < 3000; user++)
      folded += (JSON.parse((await client.get(`/v1/users/p${producer}-${user}`)).body) as { events?: number }).events ?? 0;
  await server.stop();
  const { rows } = await kindredJson<{ rows: number }>(["state", "hash", "--data-dir", directory.path]);
  const results = new Results(
    "overload",
    `16 producers post 5,000 events at a time for ${seconds} s, as fast as they are answered; at most ${flags["max-lag"]} events may wait to be folded.`,
    [
      "posts taken",
      "posts refused",
      "refused without Retry-After",
      "other answers",
      "acknowledged events",
      "events in the state",
      "peak resident MiB",
      "rows",
    ],
  );
  results.row(taken, refused, withoutRetryAfter, other, acknowledged, folded, round(peak / 2 ** 20, 0), rows);
  if (folded !== acknowledged) throw new Error(`${acknowledged} events were acknowledged, ${folded} are in the state`);
  await results.write();
} finally {
  client.close();
  await server.stop();
  await directory.remove();
}
