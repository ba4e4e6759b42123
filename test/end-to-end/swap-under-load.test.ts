import { afterAll, beforeAll, expect, it } from "vitest";
import { KindredServer, temporaryDirectory } from "../harness/kindred-process.js";
import { EAGER_SWAPS, swapUnderLoad } from "../harness/swap-under-load.js";

const USERS = 1500;
const users = Array.from({ length: USERS }, (_, n) => `u${n}`);
/** Users of 30 tastes with 40 songs each; everybody's taste changes as the stream goes on, so that graphs grow old. */
const event = (i: number): object => {
  const user = (i * 2654435761) % USERS;
  const taste = (user + Math.floor(i / 10_000)) % 30;
  return { user: `u${user}`, item: `song:${taste}-${(i * 7 + user) % 40}`, action: "play", ts: Date.now() };
};

let directory: { path: string; remove(): Promise<void> };
let server: KindredServer;
beforeAll(async () => {
  directory = await temporaryDirectory("swap");
  server = await KindredServer.start(directory.path, { env: EAGER_SWAPS });
  for (let from = 0; from < 30_000; from += 5000) {
    const response = await fetch(`${server.url}/v1/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ events: Array.from({ length: 5000 }, (_, i) => event(from + i)) }),
    });
    expect(response.status).toBe(202);
  }
}, 120_000);
afterAll(async () => {
  await server.stop();
  await directory.remove();
});

it("swaps graphs in the running server: no request fails, no generations cross, answers agree with an exact scan", async () => {
  const report = await swapUnderLoad(server, users, (i) => event(30_000 + i), { seconds: 12, eventsPerSecond: 2000 });
  expect(report.requests).toBeGreaterThan(100);
  expect(report.failed).toBe(0);
  expect(report.swaps).toBeGreaterThan(0);
  expect(report.recallAt50).toBeGreaterThanOrEqual(0.95);
}, 120_000);
