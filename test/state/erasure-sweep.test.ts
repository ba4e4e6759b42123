import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KindredError } from "../../schemas/errors.js";
import type { Offset, UserId } from "../../schemas/ids.js";
import type { LogRecord, PositionedRecord } from "../../schemas/log-record.js";
import { ErasureSweep } from "../../state/erasure-sweep.js";
import { UNSWEPT_KEY } from "../../state/keys.js";
import { openRocksStore } from "../../state/rocks-store.js";
import { MemoryStore } from "../harness/memory-store.js";
import { activate, catalogueOf, erase, event, TestPartition } from "./fold-fixture.js";

const CATALOGUES = [catalogueOf(1)];
const SECRET = "listener-of-secrets";

describe("erased users in the files of a RocksDB directory", () => {
  let directory: string;
  let next = 1;
  beforeEach(async () => {
    next = 1;
    directory = await mkdtemp(join(tmpdir(), "kindred-sweep-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const filesNaming = async (text: string): Promise<string[]> => {
    const found: string[] = [];
    for (const name of await readdir(directory)) if ((await readFile(join(directory, name))).includes(text)) found.push(name);
    return found;
  };
  const others = (from: number): LogRecord[] => Array.from({ length: 40 }, (_, i) => event(`listener-${i}`, `song-${i % 7}`, from));
  const at = (records: readonly LogRecord[]): PositionedRecord[] => records.map((record) => ({ offset: next++ as Offset, record }));

  for (const { name, crash } of [
    { name: "are gone once a snapshot has trimmed the change records", crash: false },
    { name: "are gone also when the process ended between the erasure and the sweep", crash: true },
  ])
    it(name, async () => {
      let store = await openRocksStore(directory);
      let partition = await TestPartition.open(CATALOGUES, { store });
      const songs = Array.from({ length: 12 }, (_, i) => event(SECRET, `song-${i}`, 10 + i));
      await partition.run(at([activate(1), ...others(10), ...songs.slice(0, 6)]), 5);
      await partition.state.snapshot(partition.state.appliedOffset);
      // Fingerprints change, so that bands of before are deleted long before the user is.
      await partition.run(at([...others(11), ...songs.slice(6)]), 3);
      await store.compact(Buffer.from("a"), Buffer.from("z"));
      await partition.run(at([event(SECRET, "song-1", 30), event("listener-1", "song-1", 30)]));
      expect(await filesNaming(SECRET)).not.toEqual([]);
      await partition.run(at([erase(SECRET, 40)]));
      if (crash) {
        await store.close();
        store = await openRocksStore(directory);
        partition = await TestPartition.open(CATALOGUES, { store });
      }
      await partition.run(at(others(41)));
      await partition.state.snapshot(partition.state.appliedOffset);
      expect((await filesNaming(SECRET)).filter((file) => !file.startsWith("MANIFEST"))).toEqual([]);
      expect(await store.get(UNSWEPT_KEY)).toBeUndefined();
      await partition.state.settled();
      await store.close();
      // The MANIFEST of one process may name a boundary of a file; the next one begins another.
      await (await openRocksStore(directory)).close();
      expect(await filesNaming(SECRET)).toEqual([]);
    });

  it("leaves the row of who acted again after the erasure, and nothing of before", async () => {
    const store = await openRocksStore(directory);
    const partition = await TestPartition.open(CATALOGUES, { store });
    await partition.run(at([activate(1), ...others(10), event(SECRET, "song-1", 10)]));
    await store.compact(Buffer.from("a"), Buffer.from("z"));
    await partition.run(at([erase(SECRET, 40), event(SECRET, "song-2", 41)]));
    await partition.run(at(others(41)));
    await partition.state.snapshot(partition.state.appliedOffset);
    await partition.reopen();
    expect(await partition.state.profile(SECRET as UserId)).toMatchObject({ events: 1, items: [{ item: "song-2" }] });
    await store.close();
  });
});

it("reports a round that failed once, and sweeps again what it left", async () => {
  class FailingStore extends MemoryStore {
    failing = true;
    readonly compacted: string[] = [];
    override async compact(from?: Uint8Array): Promise<void> {
      if (this.failing) throw new KindredError("STORAGE_FAILED", "no space left");
      this.compacted.push(Buffer.from(from ?? []).toString("latin1", 0, 1));
    }
  }
  const store = new FailingStore();
  const sweep = new ErasureSweep(store, undefined);
  sweep.erased(["u" as UserId], 5);
  await expect(sweep.settled()).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  expect(sweep.clean).toBe(false);
  store.failing = false;
  sweep.trimmed(5);
  await sweep.settled();
  // The change record of the erasure ended at 5 and is still there.
  expect([[...new Set(store.compacted)], sweep.clean]).toEqual([["r", "b"], false]);
  sweep.trimmed(6);
  await sweep.settled();
  expect([[...new Set(store.compacted)], sweep.clean]).toEqual([["r", "b", "c"], true]);
});
