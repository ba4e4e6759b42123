import { parse } from "csv-parse/sync";
import { KindredError } from "../../schemas/errors.js";
import type { FileLine } from "./file-lines.js";
import { badRow, type FileRow, unreadableRow } from "./file-row.js";

/** Most lines that one quoted record may span. */
const MAX_RECORD_LINES = 100;
const OPTIONS = { record_delimiter: "\n", relax_column_count: true, skip_empty_lines: false } as const;

/** A record in quotes whose place in the answer is kept free. */
interface Quoted {
  readonly at: number;
  readonly lines: readonly FileLine[];
}

/**
 * Records of RFC 4180. Lines without a quote, nearly all in practice, are split at their commas, which is seven times as fast
 * as parsing them; csv-parse reads those with quotes, all of a block in one call. A quote that is never closed costs its own
 * line only: the lines after it are looked at again.
 */
export class CsvRecords {
  readonly #columns: number;
  /** Lines of a record whose quote is still open. */
  #open: FileLine[] = [];

  constructor(columns: number) {
    this.#columns = columns;
  }

  /** @throws KindredError FILE_FORMAT */
  static header(line: FileLine): string[] {
    const cells = parseOne(line.text);
    if (cells === undefined) throw new KindredError("FILE_FORMAT", "the line of column names is not valid CSV", `line ${line.number}`);
    return cells;
  }

  take(lines: readonly FileLine[]): FileRow[] {
    const rows: (FileRow | undefined)[] = [];
    const quoted: Quoted[] = [];
    this.#walk(lines, rows, quoted);
    this.#fill(rows, quoted);
    return rows.filter((row) => row !== undefined);
  }

  /** At the end of the file: a quote that is still open is never closed. */
  end(): FileRow[] {
    const rows: FileRow[] = [];
    while (this.#open.length > 0) {
      const [first, ...others] = this.#open as [FileLine, ...FileLine[]];
      this.#open = [];
      const cut = others.length === 0 && first.unterminated === true;
      rows.push(unreadableRow(first, cut ? "FILE_TRUNCATED" : "FILE_LINE", "a quote is never closed"), ...this.take(others));
    }
    return rows;
  }

  #walk(lines: readonly FileLine[], rows: (FileRow | undefined)[], quoted: Quoted[]): void {
    for (const line of lines) {
      if (line.bad !== undefined) {
        this.#giveUp(rows, quoted, "a quote is never closed");
        rows.push(badRow(line, line.bad));
      } else if (this.#open.length === 0 && !line.text.includes('"')) {
        if (line.text.trim() !== "") rows.push(this.#row([line], line.text.split(",")));
      } else {
        const quotes = scanQuotes(line.text, this.#open.length > 0);
        this.#open.push(line);
        if (quotes === "closed") {
          quoted.push({ at: rows.length, lines: this.#open });
          rows.push(undefined);
          this.#open = [];
        } else if (quotes === "invalid") this.#giveUp(rows, quoted, "the quotes of this line are not valid CSV");
        else if (this.#open.length >= MAX_RECORD_LINES) this.#giveUp(rows, quoted, "a quote is never closed");
      }
    }
  }

  /** The first open line is bad; those after it may be good. */
  #giveUp(rows: (FileRow | undefined)[], quoted: Quoted[], message: string): void {
    const [first, ...others] = this.#open;
    if (first === undefined) return;
    this.#open = [];
    rows.push(unreadableRow(first, "FILE_LINE", message));
    this.#walk(others, rows, quoted);
  }

  #fill(rows: (FileRow | undefined)[], quoted: readonly Quoted[]): void {
    if (quoted.length === 0) return;
    const texts = quoted.map(({ lines }) => lines.map(({ text }) => text).join("\n"));
    const all = parseAll(texts);
    quoted.forEach(({ at, lines }, i) => {
      const cells = all === undefined ? parseOne(texts[i] as string) : all[i];
      rows[at] =
        cells === undefined ? unreadableRow(lines[0] as FileLine, "FILE_LINE", "this line is not valid CSV") : this.#row(lines, cells);
    });
  }

  #row(lines: readonly FileLine[], cells: readonly string[]): FileRow {
    const first = lines[0] as FileLine;
    const text = lines.length === 1 ? first.text : lines.map((line) => line.text).join("\n");
    if (cells.length === this.#columns) return { line: first.number, text, cells };
    const cut = lines[lines.length - 1]?.unterminated === true && cells.length < this.#columns;
    const message = cut ? "the file ends in the middle of a line" : `${cells.length} cells where the header names ${this.#columns} columns`;
    return unreadableRow({ number: first.number, text }, cut ? "FILE_TRUNCATED" : "FILE_LINE", message);
  }
}

/** Whether a record is complete with this line, goes on in the next, or has a quote where none may be. */
function scanQuotes(text: string, insideQuotes: boolean): "closed" | "open" | "invalid" {
  let inside = insideQuotes;
  for (let at = 0; ; ) {
    if (inside) {
      const quote = text.indexOf('"', at);
      if (quote < 0) return "open";
      at = quote + 1;
      if (text[at] === '"') at++;
      else {
        inside = false;
        if (at === text.length) return "closed";
        if (text[at++] !== ",") return "invalid";
      }
    } else if (text[at] === '"') {
      inside = true;
      at++;
    } else {
      const comma = text.indexOf(",", at);
      const quote = text.indexOf('"', at);
      if (quote >= 0 && (comma < 0 || quote < comma)) return "invalid";
      if (comma < 0) return "closed";
      at = comma + 1;
    }
  }
}

/** All records in one call; undefined when one of them is not valid. */
function parseAll(texts: readonly string[]): string[][] | undefined {
  try {
    const records = parse(texts.join("\n"), OPTIONS) as unknown as string[][];
    return records.length === texts.length ? records : undefined;
  } catch {
    return undefined;
  }
}

const parseOne = (text: string): string[] | undefined => parseAll([text])?.[0];
