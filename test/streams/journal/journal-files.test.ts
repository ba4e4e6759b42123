import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FileSlice } from "../../../schemas/ports/file-intake.js";
import { Journal } from "../../../streams/journal/journal.js";
import { JournalDeadLetters } from "../../../streams/journal/journal-dead-letters.js";
import { JournalFiles } from "../../../streams/journal/journal-files.js";
import { MemoryStore } from "../../harness/memory-store.js";
import { NodeCipher } from "../../harness/node-cipher.js";
import { event, itemsOf, readAll } from "../journal-fixtures.js";

const FILE = "1f2e3d4c".repeat(8);
const slice = (after: number, rows: number, more: Partial<FileSlice> = {}): FileSlice => ({
  file: FILE,
  run: 1,
  after,
  rows,
  events: Array.from({ length: rows }, (_, i) => event(`u${(after + i) % 3}`, `song:${after + i}`)),
  refused: [],
  done: false,
  ...more,
});

class Files {
  readonly store = new MemoryStore();
  journal!: Journal;
  files!: JournalFiles;

  async open(): Promise<this> {
    this.journal = await Journal.open(this.store.reopen(), new NodeCipher());
    this.files = new JournalFiles(this.journal);
    return this;
  }

  async items(): Promise<string[]> {
    return itemsOf(await readAll(this.journal.reader()));
  }
}

describe("rows of a file", () => {
  it("are taken once, however they are cut, sent twice, sent at once, or sent to a journal opened again", async () => {
    const sends = fc.array(fc.record({ after: fc.integer({ min: 0, max: 12 }), rows: fc.integer({ min: 1, max: 6 }) }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(sends, fc.boolean(), async (slices, atOnce) => {
        const { files, journal, store } = await new Files().open();
        if (atOnce) await Promise.all(slices.map(({ after, rows }) => files.take(slice(after, rows))));
        else for (const { after, rows } of slices) await files.take(slice(after, rows));
        await journal.close();
        const again = await Object.assign(new Files(), { store }).open();
        const { rowsRead, events } = await again.files.progress(FILE);
        expect(events).toBe(rowsRead);
        expect(await again.items()).toEqual(Array.from({ length: rowsRead }, (_, i) => `song:${i}`));
        // Whoever asks where it stands can go on.
        const run = 1;
        expect(await again.files.take(slice(rowsRead, 2, { run, done: true }))).toMatchObject({
          taken: true,
          progress: { rowsRead: rowsRead + 2, done: true, run },
        });
      }),
      { numRuns: 30 },
    );
  });

  it("begin anew only as the next run of a file that was read to its end", async () => {
    const { files } = await new Files().open();
    expect(await files.progress(FILE)).toMatchObject({ run: 0, done: false });
    expect(await files.take(slice(0, 3))).toMatchObject({ taken: true });
    expect(await files.take(slice(0, 3, { run: 2 }))).toMatchObject({ taken: false, progress: { rowsRead: 3, run: 1 } });
    expect(await files.take(slice(3, 0, { done: true }))).toMatchObject({ taken: true, position: new Map([[0, 3]]) });
    expect(await files.take(slice(3, 1))).toMatchObject({ taken: false, progress: { done: true, run: 1 } });
    expect(await files.take(slice(0, 3, { run: 2 }))).toMatchObject({ taken: true, progress: { rowsRead: 3, events: 3, run: 2 } });
  });

  it("that were refused are dead letters, once", async () => {
    const { files, journal } = await new Files().open();
    const refused = [{ code: "FILE_LINE" as const, message: "a column too few", origin: "file 1f2e3d4c line 2", original: "u,song:1" }];
    const broken = slice(0, 2, { events: [event("u1", "song:0")], refused });
    await Promise.all([files.take(broken), files.take(broken)]);
    expect(await files.progress(FILE)).toMatchObject({ rowsRead: 2, events: 1, rejected: 1 });
    const letters = new JournalDeadLetters(journal, () => ({ actions: new Set(["play"]), latestTs: 4e12 }));
    expect(await letters.list({ limit: 9 })).toMatchObject([{ code: "FILE_LINE", origin: "file 1f2e3d4c line 2", original: "u,song:1" }]);
  });

  it("are refused whole where the journal has no room, and taken afterwards", async () => {
    const journal = await Journal.open(new MemoryStore(), new NodeCipher(), { maxLagEvents: 5 });
    const files = new JournalFiles(journal);
    journal.setApplied(0 as never);
    await files.take(slice(0, 5));
    await expect(files.take(slice(5, 5))).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(await files.progress(FILE)).toMatchObject({ rowsRead: 5 });
    journal.setApplied(5 as never);
    expect(await files.take(slice(5, 5))).toMatchObject({ taken: true });
  });
});
