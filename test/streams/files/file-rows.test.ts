import { gzipSync } from "node:zlib";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_LINE_BYTES } from "../../../streams/files/file-lines.js";
import type { FileRow } from "../../../streams/files/file-row.js";
import { type FileFormat, FileRows, formatOfName } from "../../../streams/files/file-rows.js";
import { temporaryFiles } from "./temporary-files.js";

const write = temporaryFiles();

async function read(content: string | Uint8Array, format: FileFormat): Promise<{ columns: readonly string[]; rows: FileRow[] }> {
  const rows = await FileRows.open(await write(`rows.${format}`, content), format);
  const all: FileRow[] = [];
  for await (const block of rows.blocks()) all.push(...block);
  return { columns: rows.columns, rows: all };
}

const shortly = (rows: readonly FileRow[]) => rows.map(({ line, cells, json, bad }) => [line, bad?.code ?? cells ?? json]);

describe("csv", () => {
  it("reads cells, quotes, line breaks in quotes, CRLF, a byte order mark and blank lines", async () => {
    const { columns, rows } = await read('\ufeffuser,item,title\r\n\r\nann,1,"a, ""b"""\r\nbob,2,"two\r\nlines"\r\ncid,3,\r\n', "csv");
    expect(columns).toEqual(["user", "item", "title"]);
    expect(shortly(rows)).toEqual([
      [3, ["ann", "1", 'a, "b"']],
      [4, ["bob", "2", "two\nlines"]],
      [6, ["cid", "3", ""]],
    ]);
  });

  it("refuses lines with stray quotes or a wrong number of cells, and keeps every good line around them", async () => {
    const { rows } = await read('a,b\n1,2\n3" disc,4\n5,"never closed\n6,"multi\nline"\n7\n8,9,10\n"x"y,1\n11,12\n', "csv");
    expect(shortly(rows)).toEqual([
      [2, ["1", "2"]],
      [3, "FILE_LINE"],
      [4, "FILE_LINE"],
      [5, ["6", "multi\nline"]],
      [7, "FILE_LINE"],
      [8, "FILE_LINE"],
      [9, "FILE_LINE"],
      [10, ["11", "12"]],
    ]);
    expect(Buffer.from(rows[1]?.bad?.original ?? []).toString()).toBe('3" disc,4');
  });

  it("loses one line to a quote that is never closed, also far before the end", async () => {
    const lines = Array.from({ length: 500 }, (_, i) => `${i},x`);
    const { rows } = await read(`a,b\n0,"open\n${lines.join("\n")}\n`, "csv");
    expect(rows[0]?.bad?.code).toBe("FILE_LINE");
    expect(rows.slice(1).map(({ cells }) => cells?.join(","))).toEqual(lines);
  });

  it("takes a last line without a newline when it is whole, and reports it when it is cut", async () => {
    expect(shortly((await read("a,b,c\n1,2,3", "csv")).rows)).toEqual([[2, ["1", "2", "3"]]]);
    expect(shortly((await read("a,b,c\n1,2,3\n4,5", "csv")).rows)).toEqual([
      [2, ["1", "2", "3"]],
      [3, "FILE_TRUNCATED"],
    ]);
  });

  it("reads any valid table as csv-parse reads it, however it is cut into chunks", async () => {
    const cell = fc.string({ unit: fc.constantFrom("a", "é", ",", '"', "\n", " ", "😀", "7"), maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 30 }), fc.boolean(), async (table, crlf) => {
        const quote = (text: string): string => (/[",\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text);
        const text = `h1,h2,h3\n${table.map((row) => row.map(quote).join(",")).join("\n")}\n`;
        const { rows } = await read(crlf ? gzipSync(text) : text, "csv");
        expect(rows.map(({ cells }) => cells)).toEqual((parse(text, { relax_column_count: true }) as unknown as string[][]).slice(1));
      }),
      { numRuns: 60 },
    );
  });

  it("reads a file of many chunks line by line", async () => {
    const lines = Array.from({ length: 40_000 }, (_, i) => `user ${i},söng ${i},${i % 10 === 0 ? '"q,"' : "plain"}`);
    const { rows } = await read(`a,b,c\n${lines.join("\r\n")}\r\n`, "csv");
    expect(rows).toHaveLength(40_000);
    expect(rows.every(({ cells, line }, i) => line === i + 2 && cells?.[0] === `user ${i}` && cells[1] === `söng ${i}`)).toBe(true);
  });

  it("refuses an empty file", async () => {
    await expect(read("", "csv")).rejects.toMatchObject({ code: "FILE_FORMAT" });
    await expect(read("\n\n", "tsv")).rejects.toMatchObject({ code: "FILE_FORMAT" });
  });
});

describe("tsv", () => {
  it("takes cells as they stand, and missing last cells as empty", async () => {
    const { rows } = await read('id\tname\turl\n1\tMÖ "X"\thttp://x\n2\tY\n3\ta\tb\tc', "tsv");
    expect(shortly(rows)).toEqual([
      [2, ["1", 'MÖ "X"', "http://x"]],
      [3, ["2", "Y", ""]],
      [4, "FILE_LINE"],
    ]);
  });
});

describe("ndjson", () => {
  it("gives each line's value, refuses broken ones, and reports half a line at the end", async () => {
    const { rows } = await read('{"a":1}\n{broken}\n\n[2]\r\n{"b":', "ndjson");
    expect(shortly(rows)).toEqual([
      [1, { a: 1 }],
      [2, "INVALID_JSON"],
      [4, [2]],
      [5, "FILE_TRUNCATED"],
    ]);
    expect(shortly((await read('{"a":1}\n{"b":2}', "ndjson")).rows)).toHaveLength(2);
  });
});

describe("damaged files", () => {
  it("refuses a line that is not UTF-8 or too long, and goes on behind it", async () => {
    const content = Buffer.concat([
      Buffer.from("a,b\n1,2\n"),
      Buffer.from([0x33, 0xff, 0x2c, 0x34, 0x0a]),
      Buffer.from(`5,6\n${"x".repeat(MAX_LINE_BYTES + 1)}\n7,8\n${"y".repeat(700_000)}\n9,10\n`),
    ]);
    const { rows } = await read(content, "csv");
    expect(shortly(rows)).toEqual([
      [2, ["1", "2"]],
      [3, "FILE_LINE"],
      [4, ["5", "6"]],
      [5, "EVENT_TOO_LARGE"],
      [6, ["7", "8"]],
      [7, "EVENT_TOO_LARGE"],
      [8, ["9", "10"]],
    ]);
  });

  it("keeps what a cut gzip file holds, and says that it was cut", async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `u${i},${(i * 7919) % 10_007}`);
    const zipped = gzipSync(`a,b\n${lines.join("\n")}\n`);
    const { rows } = await read(zipped.subarray(0, Math.floor(zipped.length * 0.7)), "csv");
    const good = rows.slice(0, -1);
    expect(good.length).toBeGreaterThan(5000);
    expect(good.map(({ cells }) => cells?.join(","))).toEqual(lines.slice(0, good.length));
    expect(rows.at(-1)?.bad).toMatchObject({ code: "FILE_TRUNCATED" });
  });

  it("refuses what begins like a gzip file and is none, and a file that is not there", async () => {
    await expect(read(Buffer.from([0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), "csv")).rejects.toMatchObject({ code: "FILE_FORMAT" });
    await expect(FileRows.open("/nowhere/at-all.csv", "csv")).rejects.toMatchObject({ code: "FILE_FORMAT" });
  });
});

it("knows the format of a name", () => {
  expect(["a.csv", "b.tsv.gz", "c.NDJSON", "d.jsonl.gz", "e.dat", "csv"].map(formatOfName)).toEqual([
    "csv",
    "tsv",
    "ndjson",
    "ndjson",
    undefined,
    undefined,
  ]);
});
