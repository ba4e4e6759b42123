import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openRocksStore } from "../../state/rocks-store.js";
import { storeConformance } from "./store-conformance.js";

storeConformance("RocksStore", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kindred-rocks-"));
  return { open: () => openRocksStore(directory), dispose: () => rm(directory, { recursive: true, force: true }) };
});

describe("openRocksStore", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "kindred-rocks-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("makes the directory and those above it", async () => {
    const store = await openRocksStore(join(directory, "a", "b"));
    await store.close();
    expect(await readdir(join(directory, "a", "b"))).toContain("CURRENT");
  });

  it("refuses a directory in use, by name", async () => {
    const store = await openRocksStore(directory);
    await expect(openRocksStore(directory)).rejects.toMatchObject({ code: "DIRECTORY_IN_USE", where: directory });
    await store.close();
    await (await openRocksStore(directory)).close();
  });

  it("refuses a directory of a newer format, by name, and lets go of it", async () => {
    await (await openRocksStore(directory, { formatVersion: 3 })).close();
    await expect(openRocksStore(directory, { formatVersion: 2 })).rejects.toMatchObject({ code: "DIRECTORY_NEWER", where: directory });
    await (await openRocksStore(directory, { formatVersion: 3 })).close();
    await (await openRocksStore(directory, { formatVersion: 4 })).close();
  });

  it("gives the caller's code for a damaged directory", async () => {
    await (await openRocksStore(directory)).close();
    await writeFile(join(directory, "CURRENT"), "garbage");
    await expect(openRocksStore(directory, { corruptCode: "JOURNAL_CORRUPT" })).rejects.toMatchObject({ code: "JOURNAL_CORRUPT" });
    await expect(openRocksStore(directory)).rejects.toMatchObject({ code: "STATE_CORRUPT" });
  });

  it("finds flipped bytes of a table when it reads them", async () => {
    const store = await openRocksStore(directory);
    const key = Buffer.from("k");
    await store.batch([{ type: "put", key, value: Buffer.alloc(5000, 7) }]);
    await store.compact(Buffer.from([1]), Buffer.from([255]));
    await store.close();
    const table = (await readdir(directory)).find((name) => name.endsWith(".sst")) as string;
    const path = join(directory, table);
    const { readFile } = await import("node:fs/promises");
    const content = await readFile(path);
    content.fill(0x5a, 10, 60);
    await writeFile(path, content);
    const damaged = await openRocksStore(directory);
    await expect(damaged.get(key)).rejects.toMatchObject({ code: "STATE_CORRUPT" });
    await expect(
      (async () => {
        for await (const _ of damaged.iterate({}));
      })(),
    ).rejects.toMatchObject({ code: "STATE_CORRUPT" });
    await damaged.close();
  });
});
