import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, it } from "vitest";
import { kindred, kindredJson, temporaryDirectory } from "../harness/kindred-process.js";

it("a training that is killed goes on from its newest checkpoint, with one thread to the same model bit for bit", async () => {
  const directory = await temporaryDirectory("kill-train");
  try {
    const file = join(directory.path, "train.txt");
    const line = (_: unknown, u: number): string =>
      `u${u} ${Array.from({ length: 30 }, (_, i) => `song:${(u * 31 + i * i * 7) % 499}`).join(" ")}`;
    writeFileSync(file, Array.from({ length: 2000 }, line).join("\n"));
    const train = (place: string, ...more: string[]): string[] => [
      "train",
      "item2vec",
      "--train",
      file,
      "--out",
      place,
      "--threads",
      "1",
      ...more,
    ];
    const [whole, killed] = [join(directory.path, "whole"), join(directory.path, "killed")];
    const end = await kindred(train(killed, "--checkpoint-every", "0.1"), {
      onSpawn: (child) =>
        void (async () => {
          while (!existsSync(join(killed, "checkpoint", "checkpoint.json")) && child.exitCode === null) await setTimeout(5);
          child.kill("SIGKILL");
        })(),
    });
    expect(end.signal).toBe("SIGKILL");
    expect(existsSync(join(killed, "manifest.json"))).toBe(false);
    const [resumed, fresh] = [
      await kindredJson<{ resumed: boolean; pairs: number }>(train(killed)),
      await kindredJson<{ pairs: number }>(train(whole)),
    ];
    expect(resumed).toMatchObject({ done: true, resumed: true, pairs: fresh.pairs });
    for (const name of ["manifest.json", "input.npy", "output.npy", "losses.json"])
      expect(readFileSync(join(killed, name)).equals(readFileSync(join(whole, name)))).toBe(true);
  } finally {
    await directory.remove();
  }
}, 120_000);
