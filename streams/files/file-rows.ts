import { KindredError } from "../../schemas/errors.js";
import { CsvRecords } from "./csv-records.js";
import { FileChunks } from "./file-chunks.js";
import { type FileLine, FileLines } from "./file-lines.js";
import { badRow, type FileRow, unreadableRow } from "./file-row.js";

export const FILE_FORMATS = ["csv", "tsv", "ndjson"] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

/** The format that a file's name says; undefined when it says none. */
export function formatOfName(path: string): FileFormat | undefined {
  const extension = /\.(\w+?)(?:\.gz)?$/.exec(path.toLowerCase())?.[1];
  if (extension === "jsonl") return "ndjson";
  return FILE_FORMATS.find((format) => format === extension);
}

/** Reads a file row by row, some hundred rows at a time. */
export class FileRows {
  readonly #chunks: FileChunks;
  readonly #lines: AsyncGenerator<FileLine[]>;
  /** Lines taken with the header and not given yet. */
  #ahead: FileLine[] = [];
  /** Column names of a table, in the file's order; empty for ndjson. */
  columns: readonly string[] = [];

  private constructor(
    path: string,
    readonly format: FileFormat,
    signal?: AbortSignal,
  ) {
    this.#chunks = new FileChunks(path);
    this.#lines = new FileLines(this.#chunks).blocks(signal);
  }

  /** Opens the file and reads its header. @throws KindredError FILE_FORMAT */
  static async open(path: string, format: FileFormat, signal?: AbortSignal): Promise<FileRows> {
    const rows = new FileRows(path, format, signal);
    if (format !== "ndjson") await rows.#readHeader(path);
    return rows;
  }

  /** Bytes of the file itself read so far. */
  get bytesRead(): number {
    return this.#chunks.bytesRead;
  }

  async *blocks(): AsyncGenerator<FileRow[]> {
    const reader = this.#reader();
    if (this.#ahead.length > 0) yield reader.take(this.#ahead);
    this.#ahead = [];
    for await (const lines of this.#lines) {
      const rows = reader.take(lines);
      if (rows.length > 0) yield rows;
    }
    const rest = reader.end();
    if (rest.length > 0) yield rest;
  }

  async close(): Promise<void> {
    await this.#lines.return(undefined);
  }

  #reader(): RowReader {
    if (this.format === "csv") return new CsvRecords(this.columns.length);
    const parse = this.format === "tsv" ? (line: FileLine) => tsvRow(line, this.columns.length) : ndjsonRow;
    return {
      take: (lines) => lines.filter(isWorthReading).map((line) => (line.bad === undefined ? parse(line) : badRow(line, line.bad))),
      end: () => [],
    };
  }

  async #readHeader(path: string): Promise<void> {
    for (;;) {
      const { value: lines, done } = await this.#lines.next();
      if (done === true) throw new KindredError("FILE_FORMAT", `${path} is empty: a table begins with a line of column names`, path);
      const at = lines.findIndex(isWorthReading);
      if (at < 0) continue;
      const line = lines[at] as FileLine;
      if (line.bad !== undefined) throw new KindredError("FILE_FORMAT", `${path}: ${line.bad.message}`, `line ${line.number}`);
      const header = this.format === "csv" ? CsvRecords.header(line) : line.text.split("\t");
      this.columns = header.map((name) => name.trim());
      this.#ahead = lines.slice(at + 1);
      return;
    }
  }
}

interface RowReader {
  take(lines: readonly FileLine[]): FileRow[];
  end(): FileRow[];
}

const isWorthReading = ({ text, bad }: FileLine): boolean => bad !== undefined || text.trim() !== "";

/** Cells as they stand between tabs, no quoting; missing last cells are empty, as such files are often written. */
function tsvRow(line: FileLine, columns: number): FileRow {
  const cells = line.text.split("\t");
  if (cells.length > columns) return unreadableRow(line, "FILE_LINE", `${cells.length} cells where the header names ${columns} columns`);
  while (cells.length < columns) cells.push("");
  return { line: line.number, text: line.text, cells };
}

function ndjsonRow(line: FileLine): FileRow {
  try {
    return { line: line.number, text: line.text, json: JSON.parse(line.text) };
  } catch {
    if (line.unterminated === true) return unreadableRow(line, "FILE_TRUNCATED", "the file ends in the middle of a line");
    return unreadableRow(line, "INVALID_JSON", "the line is not valid JSON");
  }
}
