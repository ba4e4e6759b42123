import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Offset, UserId } from "../../../schemas/ids.js";
import { openRocksStore } from "../../../state/rocks-store.js";
import { Journal } from "../../../streams/journal/journal.js";
import { textKey } from "../../../streams/journal/journal-keys.js";
import { NodeCipher } from "../../harness/node-cipher.js";
import { itemsOf, readAll, record, records } from "../journal-fixtures.js";

describe("a journal on the disk", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "kindred-journal-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const open = async () => {
    const store = await openRocksStore(directory, { corruptCode: "JOURNAL_CORRUPT" });
    return { store, journal: await Journal.open(store, new NodeCipher(), { recentBytes: 0 }) };
  };

  /** Files of the store that hold these bytes. */
  const filesWith = async (bytes: Uint8Array): Promise<string[]> => {
    const found: string[] = [];
    for (const name of await readdir(directory)) if ((await readFile(join(directory, name))).includes(Buffer.from(bytes))) found.push(name);
    return found;
  };

  it("is read again after it was opened again, and refuses a second opener", async () => {
    const { journal } = await open();
    await journal.append(records(10));
    await expect(open()).rejects.toMatchObject({ code: "DIRECTORY_IN_USE" });
    await journal.close();
    const again = await open();
    expect(itemsOf(await readAll(again.journal.reader()))).toEqual(records(10).map((_, i) => `song:${i}`));
    await again.journal.close();
  });

  it("has no byte of an erased user's key left in its files", async () => {
    const { store, journal } = await open();
    await journal.append([record("ann", "song:1"), record("bob", "song:2")]);
    const keyOf = async (user: string): Promise<Uint8Array> => ((await store.get(textKey("k", user))) as Uint8Array).slice(8);
    const [ann, bob] = [await keyOf("ann"), await keyOf("bob")];
    expect(await filesWith(ann)).not.toEqual([]);
    await journal.erase("ann" as UserId, 1);
    expect(await filesWith(ann)).toEqual([]);
    expect(await filesWith(bob)).not.toEqual([]);
    await journal.close();
    expect(await filesWith(ann)).toEqual([]);
  });

  it("gives the space of what retention cut back", async () => {
    const { journal } = await open();
    const size = async (): Promise<number> => {
      let bytes = 0;
      for (const name of await readdir(directory)) if (/\.(sst|log)$/.test(name)) bytes += (await readFile(join(directory, name))).length;
      return bytes;
    };
    for (let i = 0; i < 5; i++) await journal.append(records(4000, 7, i * 4000));
    const before = await size();
    await journal.cutBefore(16_001 as Offset);
    expect(await size()).toBeLessThan(before / 2);
    expect(itemsOf(await readAll(journal.reader(), 16_000))).toEqual(records(4000).map((_, i) => `song:${16_000 + i}`));
    await journal.close();
  });

  it("reports what flipped bytes in a file of the store took, and reads everything else", async () => {
    const { store, journal } = await open();
    for (let i = 0; i < 6; i++) await journal.append(records(500, 7, i * 500));
    // From the log of writes into a sorted file.
    await store.compact(Buffer.from("a"), Buffer.from("z"));
    await journal.close();
    const table = (
      await Promise.all(
        (
          await readdir(directory)
        )
          .filter((name) => name.endsWith(".sst"))
          .map(async (name) => ({ name, bytes: await readFile(join(directory, name)) })),
      )
    ).sort((a, b) => b.bytes.length - a.bytes.length)[0] as { name: string; bytes: Buffer };
    const at = Math.floor(table.bytes.length / 2);
    for (let i = at; i < at + 16; i++) table.bytes[i] = (table.bytes[i] as number) ^ 0x5a;
    await writeFile(join(directory, table.name), table.bytes);
    const again = await open();
    const read = await readAll(again.journal.reader(), 0, 4096);
    const damaged = read.filter(({ damage }) => damage !== undefined);
    expect(damaged).toHaveLength(1);
    const [from, through] = [damaged[0]?.offset as number, damaged[0]?.damage?.through as number];
    expect(through - from).toBeLessThan(1000);
    const kept = Array.from({ length: 3000 }, (_, i) => i + 1).filter((offset) => offset < from || offset > through);
    expect(kept.length).toBeGreaterThanOrEqual(2000);
    expect(read.filter(({ damage }) => damage === undefined).map(({ offset }) => offset)).toEqual(kept);
    // From the middle of what is damaged, too.
    expect((await readAll(again.journal.reader(), from + 10)).at(-1)?.offset).toBe(3000);
    await again.journal.close();
  });

  it("is refused by name when a file of it is cut short", async () => {
    const { store, journal } = await open();
    await journal.append(records(2000));
    await store.compact(Buffer.from("a"), Buffer.from("z"));
    await journal.close();
    for (const name of (await readdir(directory)).filter((some) => some.endsWith(".sst"))) {
      const bytes = await readFile(join(directory, name));
      await writeFile(join(directory, name), bytes.subarray(0, bytes.length >> 1));
    }
    await expect(open()).rejects.toMatchObject({ code: "JOURNAL_CORRUPT" });
  });
});
