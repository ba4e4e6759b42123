import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KindredServer, kindredJson, sleep, temporaryDirectory } from "../harness/kindred-process.js";

const ROUNDS = Number(process.env.KILL_ROUNDS ?? 10);
const EVENTS_A_BATCH = 20;

interface Sent {
  readonly user: string;
  /** The token of the 202; undefined when the server was gone before it answered. */
  position?: string;
}

/** Posts batches of one new user each until the server is gone. */
async function postUntilKilled(url: string, round: number, stream: number, sent: Sent[]): Promise<void> {
  for (let batch = 0; ; batch++) {
    const entry: Sent = { user: `r${round}-s${stream}-b${batch}` };
    const events = Array.from({ length: EVENTS_A_BATCH }, (_, i) => ({
      user: entry.user,
      item: `song:${(batch * 7 + i * 13) % 500}`,
      action: "play",
      ts: 1_700_000_000_000 + i * 1000,
    }));
    sent.push(entry);
    try {
      const response = await fetch(`${url}/v1/events`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ events }),
      });
      if (response.status !== 202) continue;
      entry.position = ((await response.json()) as { position: string }).position;
    } catch {
      return;
    }
  }
}

describe("a server ended by kill -9 during live posts", () => {
  let directory: { path: string; remove(): Promise<void> };
  beforeAll(async () => {
    directory = await temporaryDirectory("kill");
  });
  afterAll(() => directory.remove());

  it(`has each acknowledged event exactly once after ${ROUNDS} rounds, and old after-tokens still work`, async () => {
    const sent: Sent[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const server = await KindredServer.start(directory.path);
      const before = sent.length;
      const posting = [0, 1, 2].map((stream) => postUntilKilled(server.url, round, stream, sent));
      // Killed while posts are under way and some of this round are acknowledged.
      while (sent.filter((entry, i) => i >= before && entry.position !== undefined).length < 5) await sleep(5);
      await sleep((round * 37) % 150);
      await server.kill();
      await Promise.all(posting);
    }
    const server = await KindredServer.start(directory.path);
    try {
      const acknowledged = sent.filter((entry) => entry.position !== undefined);
      expect(acknowledged.length).toBeGreaterThan(ROUNDS);
      for (const { user, position } of sent) {
        const profile = (await (await fetch(`${server.url}/v1/users/${user}`)).json()) as { events?: number; code?: string };
        if (position !== undefined) expect(profile.events, user).toBe(EVENTS_A_BATCH);
        else expect(profile.code === "UNKNOWN_USER" || profile.events === EVENTS_A_BATCH, `${user}: ${JSON.stringify(profile)}`).toBe(true);
      }
      for (const { user, position } of acknowledged.filter((_, i) => i % 7 === 0)) {
        const answer = (await (await fetch(`${server.url}/v1/recall/u2u?user=${user}&after=${position}`)).json()) as { fresh: boolean };
        expect(answer.fresh).toBe(true);
      }
    } finally {
      await server.stop();
    }
    const live = await kindredJson<{ hash: string; rows: number }>(["state", "hash", "--data-dir", directory.path]);
    const verified = await kindredJson<{ storedHash: string; recomputedHash: string; faultCount: number }>([
      "state",
      "verify",
      "--data-dir",
      directory.path,
    ]);
    expect(verified).toMatchObject({ storedHash: live.hash, recomputedHash: live.hash, faultCount: 0 });
  }, 240_000);
});
