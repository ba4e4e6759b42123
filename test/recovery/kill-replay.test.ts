import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KindredServer, kindred, kindredJson, sleep, temporaryDirectory } from "../harness/kindred-process.js";

const ROWS = 60_000;

/** A file of purchases whose users come back again and again, so that a doubled or lost row shows in the hash. */
function purchases(): string {
  let state = 12345;
  const next = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const lines = ["buyer,sku,when,amount"];
  for (let i = 0; i < ROWS; i++) lines.push(`${next(900)},${next(400)},${1_600_000_000 + i * 40},${1 + next(20)}`);
  return `${lines.join("\n")}\n`;
}

describe("replay of one file", () => {
  let directory: { path: string; remove(): Promise<void> };
  let file: string;
  const flags = (data: string, batch: number): string[] => [
    "replay",
    "--from",
    file,
    "--format",
    "csv",
    "--map",
    "user=buyer,item=sku,ts=when,value=amount",
    "--batch",
    String(batch),
    "--data-dir",
    join(directory.path, data),
  ];
  const hashOf = (data: string): Promise<{ hash: string; rows: number }> =>
    kindredJson(["state", "hash", "--data-dir", join(directory.path, data)]);

  beforeAll(async () => {
    directory = await temporaryDirectory("replay");
    file = join(directory.path, "purchases.csv.gz");
    await writeFile(file, gzipSync(purchases()));
  });
  afterAll(() => directory.remove());

  it("gives one state hash with batches of 64 and 4,096, and after kill -9 in the middle and a restart", async () => {
    const whole = await kindredJson<{ events: number }>(flags("whole", 4096));
    expect(whole.events).toBe(ROWS);
    const expected = await hashOf("whole");
    expect(expected.rows).toBe(900);

    await kindredJson(flags("small", 64));
    expect(await hashOf("small")).toMatchObject({ hash: expected.hash, rows: 900 });

    // A file twice is known by its content; told to, it counts again.
    await kindredJson(flags("small", 4096));
    expect((await hashOf("small")).hash).toBe(expected.hash);

    // Killed once the journal has so many bytes: in the middle, however fast the machine is.
    let kills = 0;
    for (const bytes of [200_000, 1_000_000, 2_000_000]) {
      const result = await kindred(flags("killed", 64), {
        onSpawn: (child) => void whenLarger(join(directory.path, "killed", "journal"), bytes, child).then(() => child.kill("SIGKILL")),
      });
      if (result.signal === "SIGKILL") kills++;
    }
    expect(kills).toBeGreaterThan(0);
    await kindredJson(flags("killed", 256));
    expect(await hashOf("killed")).toMatchObject({ hash: expected.hash, rows: 900 });
  }, 240_000);

  it("into a running server gives the same state, after kill -9 of who sends and of the server, each in the middle", async () => {
    await kindredJson(flags("alone", 4096));
    const expected = await hashOf("alone");
    const hash = createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
    const data = join(directory.path, "served");
    // Small requests: more of them, and more to be killed in.
    const env = { KINDRED_SERVER__MAX_EVENTS_PER_REQUEST: "500" };
    let server = await KindredServer.start(data);
    try {
      let kills = 0;
      for (const [rows, whom] of [
        [5_000, "sender"],
        [15_000, "server"],
        [25_000, "sender"],
        [40_000, "server"],
      ] as const) {
        const { url } = server;
        const result = await kindred(flags("served", 64), {
          env,
          onSpawn: async (child) => {
            await whenRead(`${url}/v1/admin/files/${hash}`, rows, child);
            if (whom === "sender") child.kill("SIGKILL");
            else await server.kill();
          },
        });
        if (whom === "server") {
          await server.kill();
          server = await KindredServer.start(data);
        }
        if (result.code !== 0) kills++;
      }
      expect(kills).toBeGreaterThan(2);
      expect(await kindredJson(flags("served", 64), env)).toMatchObject({ events: ROWS, known: false });
      expect(await kindredJson(flags("served", 64), env)).toMatchObject({ events: ROWS, known: true });
    } finally {
      await server.stop();
    }
    expect(await hashOf("served")).toMatchObject({ hash: expected.hash, rows: 900 });
    // The journal knows the file, whoever asks.
    expect(await kindredJson(flags("served", 4096))).toMatchObject({ events: ROWS, known: true });
  }, 240_000);
});

/** Resolves when a server has so many rows of a file, or the process has ended. */
async function whenRead(url: string, rows: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    const { rowsRead } = await fetch(url).then(
      (answer) => answer.json() as Promise<{ rowsRead: number }>,
      () => ({ rowsRead: 0 }),
    );
    if (rowsRead > rows) return;
    await sleep(2);
  }
}

/** Resolves when the files of a directory have so many bytes together, or the process has ended. */
async function whenLarger(path: string, bytes: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    const sizes = await readdir(path)
      .then((names) =>
        Promise.all(
          names.map((name) =>
            stat(join(path, name)).then(
              ({ size }) => size,
              () => 0,
            ),
          ),
        ),
      )
      .catch(() => []);
    if (sizes.reduce((sum, size) => sum + size, 0) > bytes) return;
    await sleep(5);
  }
}
