import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { EventRules } from "../../../schemas/event.js";
import type { Offset } from "../../../schemas/ids.js";
import type { StoreWrite } from "../../../schemas/ports/key-value-store.js";
import { parseAssignments } from "../../../streams/files/column-map.js";
import { EVENT_FIELDS, EventRows, type TsUnit } from "../../../streams/files/event-rows.js";
import { FileRows } from "../../../streams/files/file-rows.js";
import { type ReplayFileOptions, replayFile } from "../../../streams/files/replay-file.js";
import { Journal } from "../../../streams/journal/journal.js";
import { decodeRecord } from "../../../streams/record-codec.js";
import { MemoryStore } from "../../harness/memory-store.js";
import { NodeCipher } from "../../harness/node-cipher.js";
import { itemsOf, readAll } from "../journal-fixtures.js";
import { temporaryFiles } from "./temporary-files.js";

const write = temporaryFiles();
const rules: EventRules = { actions: new Set(["play", "like"]), latestTs: 4_000_000_000_000 };
const mapOf = (map = "", set = "") => ({
  columns: parseAssignments(map, EVENT_FIELDS, "--map"),
  constants: parseAssignments(set, EVENT_FIELDS, "--set"),
});
const csv: ReplayFileOptions = { format: "csv", rules, map: mapOf() };
const openJournal = (store = new MemoryStore()): Promise<Journal> => Journal.open(store, new NodeCipher());
const eventsOf = async (journal: Journal) =>
  (await readAll(journal.reader())).map(({ bytes }) => {
    const decoded = decodeRecord(bytes as Uint8Array);
    return decoded.kind === "event" ? decoded.event : decoded;
  });

const plays = (rows: number): string =>
  `user,item,ts\n${Array.from({ length: rows }, (_, i) => (i % 50 === 49 ? `,song:${i},1` : `u${i % 9},song:${i},${1_600_000_000 + i}`)).join("\n")}\n`;

/** A store that is gone, with its process, at the n-th write. */
class DyingStore extends MemoryStore {
  left = Number.POSITIVE_INFINITY;

  override async batch(writes: readonly StoreWrite[]): Promise<void> {
    if (this.left-- <= 0) throw new Error("killed");
    await super.batch(writes);
  }
}

describe("rows as events", () => {
  const read = async (content: string, format: "csv" | "tsv" | "ndjson", map = "", set = "", tsUnit: TsUnit = "auto") => {
    const rows = await FileRows.open(await write("events", content), format);
    const reader = new EventRows({ map: mapOf(map, set), tsUnit }, format === "ndjson" ? undefined : rows.columns, "events");
    const all: unknown[] = [];
    for await (const block of rows.blocks())
      for (const row of block) {
        const result = reader.read(row, rules);
        all.push("event" in result ? result.event : result.rejection.code);
      }
    return all;
  };

  it("maps columns, reads seconds and milliseconds, and takes play where no action is named", async () => {
    expect(
      await read(
        "CustomerID,StockCode,Description,t,Quantity\n17850,85123A,LAMP,1291191960,6.0\n",
        "csv",
        "user=CustomerID,item=StockCode,ts=t",
      ),
    ).toEqual([{ user: "17850", item: "85123A", action: "play", ts: 1_291_191_960_000 }]);
    expect(await read("user,item,ts\na,b,1291191960123\na,b,2010-12-01T08:26:00Z\na,b,1291191960.5\n", "csv")).toMatchObject([
      { ts: 1_291_191_960_123 },
      { ts: 1_291_191_960_000 },
      { ts: 1_291_191_960_500 },
    ]);
    expect(await read("user,item,ts\na,b,5000\n", "csv", "", "", "ms")).toMatchObject([{ ts: 5000 }]);
  });

  it("reads tables of the HetRec kind, with constants for what they lack", async () => {
    expect(
      await read(
        "userID\tartistID\tweight\r\n2\t51\t13883\r\n",
        "tsv",
        "user=userID,item=artistID,value=weight",
        "ts=2011-01-01T00:00:00Z,action=like",
      ),
    ).toEqual([{ user: "2", item: "51", action: "like", ts: 1_293_840_000_000, value: 13_883 }]);
  });

  it("reads numbers strictly, and empty cells of optional fields as absent", async () => {
    expect(
      await read(
        "user,item,ts,value,id,scene\na,b,1,6.0,,\na,b,1,,x,music\na,b,1,6 pieces,,\na,b,1,0x10,,\na,b,1,-1,,\na,b,1,1e999,,\na,b,soon,1,,\n,b,1,1,,\n",
        "csv",
      ),
    ).toEqual([
      { user: "a", item: "b", action: "play", ts: 1000, value: 6 },
      { user: "a", item: "b", action: "play", ts: 1000, id: "x", scene: "music" },
      "EVENT_VALUE",
      "EVENT_VALUE",
      "EVENT_VALUE",
      "EVENT_VALUE",
      "EVENT_TIME",
      "EVENT_USER",
    ]);
  });

  it("reads JSON lines by name or map, with the types as they are", async () => {
    const lines = [
      '{"who":"a","item":"song:1","ts":1600000000,"action":"like"}',
      '{"who":"a","item":"song:1","ts":"2020-01-01T00:00:00Z"}',
      '{"who":1,"item":"x","ts":1}',
      "[]",
    ];
    expect(await read(lines.join("\n"), "ndjson", "user=who")).toEqual([
      { user: "a", item: "song:1", type: "song", action: "like", ts: 1_600_000_000_000 },
      { user: "a", item: "song:1", type: "song", action: "play", ts: 1_577_836_800_000 },
      "EVENT_USER",
      "EVENT_NOT_AN_OBJECT",
    ]);
  });

  it("refuses a column that the header lacks before anything is read, and names those there are", async () => {
    await expect(read("a,b,c\n1,2,3\n", "csv", "user=a,item=b,ts=when")).rejects.toThrow(/when .*its columns are a, b, c/);
    await expect(read("a,b,c\n1,2,3\n", "csv", "user=a,item=b")).rejects.toMatchObject({ code: "FILE_FORMAT" });
    expect(() => parseAssignments("usr=a", EVENT_FIELDS, "--map")).toThrow(/user, item/);
  });
});

describe("replayFile", () => {
  it("gives the same events for any batch size, from plain and gzipped files", async () => {
    const expected = await (async () => {
      const journal = await openJournal();
      await replayFile(journal, await write("a.csv", plays(1000)), csv);
      return eventsOf(journal);
    })();
    expect(expected).toHaveLength(980);
    for (const batchRows of [1, 64, 4096]) {
      const journal = await openJournal();
      const result = await replayFile(journal, await write("a.csv.gz", gzipSync(plays(1000))), { ...csv, batchRows });
      expect(result).toMatchObject({ events: 980, appended: 980, rejected: 20, known: false, done: true, endOffset: 980 });
      expect(await eventsOf(journal)).toEqual(expected);
    }
  });

  it("knows a file by its content, and reads it once more only when told to", async () => {
    const journal = await openJournal();
    await replayFile(journal, await write("a.csv", plays(100)), csv);
    const renamed = await write("b.csv", plays(100));
    expect(await replayFile(journal, renamed, csv)).toMatchObject({ known: true, appended: 0, events: 98, rejected: 2 });
    expect(journal.endOffset).toBe(98);
    expect(await replayFile(journal, renamed, { ...csv, again: true })).toMatchObject({ known: false, appended: 98, events: 98 });
    expect(await replayFile(journal, renamed, csv)).toMatchObject({ known: true });
    expect(journal.endOffset).toBe(196);
  });

  it.each([1, 64, 4096])("goes on exactly where it was killed, at any write, with batches of %i", async (batchRows) => {
    const path = await write("killed.csv", plays(300));
    const whole = await openJournal();
    await replayFile(whole, path, csv);
    const expected = await eventsOf(whole);
    for (let writes = 0; writes < 6; writes++) {
      const store = new DyingStore();
      const journal = await openJournal(store);
      store.left = writes;
      await replayFile(journal, path, { ...csv, batchRows }).catch((error: { code: string }) => expect(error.code).toBe("STORAGE_FAILED"));
      store.left = Number.POSITIVE_INFINITY;
      const again = await openJournal(store);
      const result = await replayFile(again, path, { ...csv, batchRows: 100 });
      expect(result).toMatchObject({ events: 294, rejected: 6, done: true });
      expect(await eventsOf(again)).toEqual(expected);
      expect((await again.deadLetters.list(0, 100)).map(({ letter }) => letter.origin.split(" line ")[1])).toEqual([
        "51",
        "101",
        "151",
        "201",
        "251",
        "301",
      ]);
    }
  });

  it("stops when told to, and goes on there", async () => {
    const path = await write("stopped.csv", plays(60_000));
    const journal = await openJournal();
    const abort = new AbortController();
    const first = await replayFile(journal, path, { ...csv, batchRows: 100, signal: abort.signal }, () => abort.abort());
    expect(first.done).toBe(false);
    expect(first.events).toBeLessThan(58_800);
    const second = await replayFile(journal, path, csv);
    expect(second).toMatchObject({ done: true, events: 58_800, appended: 58_800 - first.events });
    expect(itemsOf(await readAll(journal.reader(), 0, 10_000))).toEqual(
      Array.from({ length: 60_000 }, (_, i) => i)
        .filter((i) => i % 50 !== 49)
        .map((i) => `song:${i}`),
    );
  });

  it("is never further ahead of the fold than its credits", async () => {
    const path = await write("ahead.csv", plays(1000));
    const journal = await openJournal();
    let applied = 0;
    journal.setApplied(0 as Offset);
    let most = 0;
    const fold = setInterval(() => {
      most = Math.max(most, journal.endOffset - applied);
      applied = Math.min(applied + 37, journal.endOffset);
      journal.setApplied(applied as Offset);
    }, 1);
    await replayFile(journal, path, { ...csv, batchRows: 10, credits: 50 });
    clearInterval(fold);
    expect(journal.endOffset).toBe(980);
    expect(most).toBeGreaterThan(20);
    expect(most).toBeLessThanOrEqual(50);
  });

  it("asks before each append of events, with the newest time among them", async () => {
    const journal = await openJournal();
    const seconds = [5, 9, 7, 3, 4, 6, 11];
    const path = await write("paced.csv", `user,item,ts\n${seconds.map((s) => `ann,song:${s},${s}\n`).join("")}`);
    const asked: { newestTs: number; appended: number }[] = [];
    const beforeAppend = async (newestTs: number) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      asked.push({ newestTs, appended: journal.endOffset });
    };
    const result = await replayFile(journal, path, { ...csv, batchRows: 3, since: 4_000, beforeAppend });
    expect(asked).toEqual([
      { newestTs: 9_000, appended: 0 },
      { newestTs: 6_000, appended: 3 },
      { newestTs: 11_000, appended: 5 },
    ]);
    expect(result).toMatchObject({ appended: 6, done: true });
  });

  it.each([
    [1, 3],
    [3, 9],
  ])("appends nothing more when it is stopped before append %i, and goes on there", async (stopAt, batchRows) => {
    const path = await write("stop-paced.csv", plays(30));
    const journal = await openJournal();
    const stop = new AbortController();
    let asked = 0;
    const beforeAppend = async () => {
      if (++asked === stopAt) stop.abort();
    };
    const first = await replayFile(journal, path, { ...csv, batchRows, beforeAppend, signal: stop.signal });
    expect(first).toMatchObject({ appended: (stopAt - 1) * batchRows, done: false });
    expect(journal.endOffset).toBe((stopAt - 1) * batchRows);
    expect(await replayFile(journal, path, csv)).toMatchObject({ events: 30, done: true });
    expect(itemsOf(await readAll(journal.reader()))).toEqual(Array.from({ length: 30 }, (_, i) => `song:${i}`));
  });

  it("is not done when it is stopped before the last append", async () => {
    const journal = await openJournal();
    const stop = new AbortController();
    const result = await replayFile(journal, await write("last.csv", plays(5)), {
      ...csv,
      beforeAppend: async () => stop.abort(),
      signal: stop.signal,
    });
    expect(result).toMatchObject({ appended: 0, done: false, endOffset: 0 });
  });

  it("takes only events of the time asked for", async () => {
    const journal = await openJournal();
    await replayFile(journal, await write("time.csv", plays(40)), { ...csv, since: 1_600_000_010_000, until: 1_600_000_013_000 });
    expect(itemsOf(await readAll(journal.reader()))).toEqual(["song:10", "song:11", "song:12"]);
  });

  it("keeps the good part of a file cut in a gzip block, and a dead letter that says where", async () => {
    const zipped = gzipSync(plays(30_000));
    const journal = await openJournal();
    const result = await replayFile(journal, await write("cut.csv.gz", zipped.subarray(0, zipped.length >> 1)), csv);
    expect(result.done).toBe(true);
    expect(result.events).toBeGreaterThan(5000);
    expect(itemsOf(await readAll(journal.reader(), 0, 4096)).slice(0, 3)).toEqual(["song:0", "song:1", "song:2"]);
    const letters = await journal.deadLetters.list(0, 10_000);
    expect(letters.at(-1)?.letter).toMatchObject({
      code: "FILE_TRUNCATED",
      origin: `file ${result.fileHash.slice(0, 8)} line ${result.events + result.rejected + 1}`,
    });
  });

  it("appends nothing of a file whose columns do not fit", async () => {
    const journal = await openJournal();
    await expect(replayFile(journal, await write("wrong.csv", "a,b\n1,2\n"), csv)).rejects.toMatchObject({ code: "FILE_FORMAT" });
    expect(journal.endOffset).toBe(0);
  });
});
