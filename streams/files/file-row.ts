import type { BadLine, FileLine } from "./file-lines.js";

/** A row of a file: the cells of a table, or the JSON value of a line. */
export interface FileRow {
  /** Line that it begins on, from 1. */
  readonly line: number;
  readonly text: string;
  readonly cells?: readonly string[];
  readonly json?: unknown;
  /** The row can't be read; then there are no cells. */
  readonly bad?: BadLine;
}

/** A row of a line that can't be used. */
export const badRow = ({ number, text }: FileLine, bad: BadLine): FileRow => ({ line: number, text, bad });

/** A row that can't be read, with its line as the original. */
export const unreadableRow = (line: FileLine, code: BadLine["code"], message: string): FileRow =>
  badRow(line, { code, message, original: Buffer.from(line.text) });
