import { describe, expect, it } from "vitest";
import type { Offset } from "../../schemas/ids.js";
import type { ChangelogRecord } from "../../schemas/ports/changelog.js";
import { readRecord } from "../../state/changelog-records.js";
import { CHANGELOG_KEY } from "../../state/keys.js";
import { MemoryChangelog } from "../harness/memory-changelog.js";
import { MemoryStore } from "../harness/memory-store.js";
import { activate, catalogueOf, DAY, erase, event, positioned, TestPartition } from "./fold-fixture.js";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");
const keysOf = (records: readonly ChangelogRecord[]): string[] =>
  records.map(({ key, value }) => `${value === null ? "-" : ""}${text(key)}`);
const CATALOGUES = [catalogueOf(1), catalogueOf(2, {}, [], 16)];

describe("what a commit writes to the changelog", () => {
  it("is each row that it touched, who is erased without a name, and the position last", async () => {
    const changelog = new MemoryChangelog();
    const partition = await TestPartition.open(CATALOGUES, { changelog });
    await partition.run(positioned([activate(1), event("ann", "a", 1), event("böb/1", "a", 1)]));
    expect(keysOf(changelog.records)).toEqual(["u/ann", "u/böb/1", "p"]);
    await partition.run([
      { offset: 4 as Offset, record: erase("ann", 5) },
      { offset: 5 as Offset, record: erase("böb/1", 5) },
      { offset: 6 as Offset, record: event("ann", "b", 6) },
    ]);
    const later = changelog.records.slice(3);
    // SHA-256 of "ann" and of "böb/1", the first half.
    expect(keysOf(later)).toEqual(["e/49915e0d7d4b402e3017d010bc1c0e83", "e/c2d5f8020474f63baf45bbeeef6b2616", "u/ann", "-u/böb/1", "p"]);
    expect(readRecord(later[0] as ChangelogRecord, "here")).toMatchObject({ kind: "erased", erased: { epoch: 1, erasedAt: 5 * DAY } });
    expect(JSON.parse(text(later[4]?.value as Uint8Array))).toEqual({
      version: 1,
      offset: 6,
      eventTime: 6 * DAY,
      activations: [{ activation: 1, catalogue: 1 }],
      migratedTo: null,
      hash: partition.hash,
      rows: 1,
      tombstones: 2,
    });
  });

  it("has commits that move the position alone, and rows that are recomputed while no records come", async () => {
    const changelog = new MemoryChangelog();
    const partition = await TestPartition.open(CATALOGUES, { changelog, migrateRows: 1, cacheRows: 1 });
    await partition.run(positioned([activate(1), event("ann", "a", 1), event("bob", "a", 1)]), 1);
    await partition.state.commit(await partition.state.fold([], 9 as Offset));
    expect(keysOf(changelog.records)).toEqual(["p", "u/ann", "p", "u/bob", "p", "p"]);
    await partition.run([{ offset: 10 as Offset, record: activate(2) }]);
    await partition.migrate();
    expect(
      keysOf(changelog.records.slice(6))
        .filter((key) => key !== "p")
        .sort(),
    ).toEqual(["u/ann", "u/bob"]);
    expect(changelog.end).toBe(changelog.records.length + changelog.writes);
    await partition.reopen();
    expect(partition.state.changelogNext).toBe(changelog.end);
  });

  it("is not there without one: the store says nothing of it either", async () => {
    const store = new MemoryStore();
    const partition = await TestPartition.open(CATALOGUES, { store });
    await partition.run(positioned([activate(1), event("ann", "a", 1)]));
    expect(await store.get(CHANGELOG_KEY)).toBeUndefined();
    expect(partition.state.changelogNext).toBe(0);
  });
});

describe("a record of the changelog", () => {
  const read = (key: string, value: Uint8Array | string | null) =>
    readRecord({ key: Buffer.from(key), value: typeof value === "string" ? Buffer.from(value) : value }, "partition 3");
  const position = { offset: 1, eventTime: 1, activations: [], migratedTo: null, hash: "0".repeat(32), rows: 0, tombstones: 0 };

  it("of a kind that is not known is passed over", () => {
    for (const key of ["x/1", "", "u", "pp", "q"]) expect(read(key, "anything")).toBeUndefined();
  });

  it("that is damaged or newer says so and where", () => {
    const corrupt = expect.objectContaining({ code: "STATE_CORRUPT", message: expect.stringContaining("(partition 3)") });
    for (const value of [
      null,
      "",
      "{",
      "null",
      "[]",
      JSON.stringify({ ...position, offset: -1 }),
      JSON.stringify({ ...position, hash: "1" }),
    ])
      expect(() => read("p", value)).toThrow(corrupt);
    for (const name of ["1".repeat(31), "g".repeat(32)]) expect(() => read(`e/${name}`, Buffer.alloc(13))).toThrow(corrupt);
    for (const value of [null, Buffer.alloc(12), Buffer.alloc(14)]) expect(() => read(`e/${"1".repeat(32)}`, value)).toThrow(corrupt);
    const newer = expect.objectContaining({ code: "DIRECTORY_NEWER" });
    expect(() => read("p", JSON.stringify({ ...position, version: 2 }))).toThrow(newer);
    expect(() => read(`e/${"1".repeat(32)}`, Buffer.of(2))).toThrow(newer);
  });
});
