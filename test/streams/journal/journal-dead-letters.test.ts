import { describe, expect, it, vi } from "vitest";
import type { EventRules } from "../../../schemas/event.js";
import type { UserId } from "../../../schemas/ids.js";
import { Journal } from "../../../streams/journal/journal.js";
import { JournalDeadLetters } from "../../../streams/journal/journal-dead-letters.js";
import type { JournalOptions } from "../../../streams/journal/journal-options.js";
import type { NewDeadLetter } from "../../../streams/new-dead-letter.js";
import { MemoryStore } from "../../harness/memory-store.js";
import { NodeCipher } from "../../harness/node-cipher.js";
import { event, itemsOf, readAll, record } from "../journal-fixtures.js";

const letter = (n: number, more: Partial<NewDeadLetter> = {}): NewDeadLetter => ({
  code: "EVENT_ACTION",
  message: "action must be one of play",
  origin: `file 01234567 line ${n}`,
  original: Buffer.from(JSON.stringify({ ...event("ann", `song:${n}`), action: "hum" })),
  ...more,
});

class LetterJournal {
  actions = new Set(["play"]);
  letters!: JournalDeadLetters;
  journal!: Journal;
  readonly store = new MemoryStore();

  async open(options: JournalOptions = {}): Promise<this> {
    this.journal = await Journal.open(this.store.reopen(), new NodeCipher(), options);
    this.letters = new JournalDeadLetters(this.journal, (): EventRules => ({ actions: this.actions, latestTs: 4e12 }));
    return this;
  }

  async origins(): Promise<string[]> {
    return (await this.letters.list({ limit: 1000 })).map(({ origin }) => origin.split(" line ")[1] as string);
  }
}

describe("dead letters", () => {
  it("are listed with what they were, in order and by pages, also after a restart", async () => {
    const opened = await new LetterJournal().open({ now: () => 77 });
    await opened.journal.keepLetters([letter(1), letter(2, { original: Buffer.from([0xff, 0xfe]), code: "FILE_LINE" })]);
    await opened.journal.keepLetters([letter(3)]);
    await opened.journal.close();
    await opened.open();
    expect(await opened.letters.list({ limit: 2 })).toEqual([
      {
        number: 1,
        code: "EVENT_ACTION",
        message: "action must be one of play",
        origin: "file 01234567 line 1",
        at: 77,
        original: Buffer.from(letter(1).original).toString(),
      },
      expect.objectContaining({ number: 2, code: "FILE_LINE", original: "base64://4=" }),
    ]);
    expect((await opened.letters.list({ limit: 2, after: 2 })).map(({ number }) => number)).toEqual([3]);
  });

  it("never hold more than the limit: the oldest leave and are counted", async () => {
    const opened = await new LetterJournal().open({ maxDeadLetters: 5 });
    await opened.journal.keepLetters([1, 2, 3].map((n) => letter(n)));
    await Promise.all([opened.journal.keepLetters([4, 5, 6].map((n) => letter(n))), opened.journal.keepLetters([letter(7)])]);
    expect(await opened.origins()).toEqual(["3", "4", "5", "6", "7"]);
    await opened.journal.keepLetters(Array.from({ length: 9 }, (_, i) => letter(10 + i)));
    expect(await opened.origins()).toEqual(["14", "15", "16", "17", "18"]);
    expect(opened.journal.deadLetters.counts).toEqual({ kept: 5, dropped: 11 });
    await opened.open({ maxDeadLetters: 0 });
    await opened.journal.keepLetters([letter(20)]);
    expect(await opened.origins()).toEqual([]);
  });

  it("go back into the log as they are once the rules allow them, and leave the list in the same batch", async () => {
    const opened = await new LetterJournal().open();
    await opened.journal.keepLetters([
      letter(1),
      letter(2, { original: Buffer.from("ann;song"), raw: event("ann", "song:2") }),
      letter(3, { original: Buffer.from("{") }),
    ]);
    expect(await opened.letters.replay("all")).toMatchObject({ replayed: 1, failed: 2 });
    expect(await opened.origins()).toEqual(["1", "3"]);
    opened.actions.add("hum");
    const { replayed, failed, position } = await opened.letters.replay("all");
    expect({ replayed, failed, position }).toEqual({ replayed: 1, failed: 1, position: new Map([[0, 2]]) });
    expect(itemsOf(await readAll(opened.journal.reader()))).toEqual(["song:2", "song:1"]);
    await opened.open();
    expect(await opened.origins()).toEqual(["3"]);
    expect(opened.journal.deadLetters.counts.kept).toBe(1);
  });

  it("go back repaired; what is still wrong or not on the list is counted as failed, and nothing goes back twice", async () => {
    const opened = await new LetterJournal().open();
    await opened.journal.keepLetters([1, 2, 3].map((n) => letter(n)));
    const repairs = new Map<number, unknown>([
      [1, event("ann", "song:91")],
      [3, { user: "ann" }],
      [44, event("ann", "song:1")],
    ]);
    const both = await Promise.all([opened.letters.replay(repairs), opened.letters.replay(repairs)]);
    expect(both).toMatchObject([
      { replayed: 1, failed: 2 },
      { replayed: 0, failed: 3 },
    ]);
    expect(itemsOf(await readAll(opened.journal.reader()))).toEqual(["song:91"]);
    expect(await opened.origins()).toEqual(["2", "3"]);
  });

  it("of an erased user are gone, whichever key sealed them", async () => {
    const opened = await new LetterJournal().open();
    const of = (user: string, n: number) => letter(n, { user: user as UserId });
    await opened.journal.keepLetters([of("ann", 1), of("bob", 2), letter(3)]);
    await opened.journal.append([record("ann", "song:1")]);
    await opened.journal.keepLetters([of("ann", 4)]);
    await opened.journal.erase("ann" as UserId, 5);
    expect(await opened.origins()).toEqual(["2", "3"]);
    expect(opened.journal.deadLetters.counts.kept).toBe(2);
  });

  describe("of one group commit", () => {
    const [ann, bob] = ["ann" as UserId, "bob" as UserId];
    const of = (user: UserId, n: number, more: Partial<NewDeadLetter> = {}) => letter(n, { user, ...more });
    /** Callers of the same turn share a group. */
    const inOneGroup = (...calls: Promise<unknown>[]) => Promise.all(calls);

    it("are counted once when their user is erased twice, and the next user's are still found", async () => {
      const opened = await new LetterJournal().open();
      await opened.journal.keepLetters([of(ann, 1), of(bob, 2)]);
      await inOneGroup(opened.journal.erase(ann, 5), opened.journal.erase(ann, 6));
      expect(opened.journal.deadLetters.counts.kept).toBe(1);
      await opened.journal.erase(bob, 7);
      expect(await opened.origins()).toEqual([]);
      expect(opened.journal.deadLetters.counts.kept).toBe(0);
    });

    it("are gone when an erasure follows them, and stay when they follow it", async () => {
      const opened = await new LetterJournal().open();
      await inOneGroup(
        opened.journal.keepLetters([of(ann, 1), of(bob, 2)]),
        opened.journal.erase(ann, 5),
        opened.journal.keepLetters([of(ann, 3)]),
      );
      expect(await opened.origins()).toEqual(["2", "3"]);
      await opened.open();
      expect(opened.journal.deadLetters.counts.kept).toBe(2);
    });

    it("are counted once when they are replaced and their user is erased", async () => {
      const opened = await new LetterJournal().open();
      await opened.journal.keepLetters([of(ann, 1), of(bob, 2), letter(3)]);
      await inOneGroup(
        opened.journal.erase(ann, 5),
        opened.journal.commit({ records: [record("ann", "song:1")], replacedLetters: [1, 44] }),
        opened.journal.erase(ann, 6),
      );
      expect(await opened.origins()).toEqual(["2", "3"]);
      expect(opened.journal.deadLetters.counts).toEqual({ kept: 2, dropped: 0 });
    });

    it("count as they were when the group could not be written", async () => {
      const opened = await new LetterJournal().open();
      await opened.journal.keepLetters([of(ann, 1), of(bob, 2)]);
      const write = vi.spyOn(opened.journal.store, "batch").mockRejectedValue(new Error("disk full"));
      await expect(opened.journal.erase(ann, 5)).rejects.toThrow();
      write.mockRestore();
      expect(opened.journal.deadLetters.counts.kept).toBe(2);
      expect(await opened.origins()).toEqual(["1", "2"]);
    });
  });
});
