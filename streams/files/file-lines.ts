import { isUtf8 } from "node:buffer";
import type { Rejection } from "../../schemas/event.js";
import type { FileChunks } from "./file-chunks.js";

/** Longest line, in bytes. */
export const MAX_LINE_BYTES = 64 << 10;

/** A line that can't be used, with its first bytes. */
export interface BadLine extends Rejection {
  readonly original: Uint8Array;
}

/** A line without what ends it (\n or \r\n). */
export interface FileLine {
  /** From 1. */
  readonly number: number;
  readonly text: string;
  readonly bad?: BadLine;
  /** The file ends here without a newline: this may be half a line. */
  readonly unterminated?: boolean;
}

const NEWLINE = 0x0a;
const BOM = "\ufeff";

/** Cuts chunks into lines, a whole chunk's lines at a time: decoding line by line would cost several times as much. */
export class FileLines {
  #carry: Buffer = Buffer.alloc(0);
  /** In the middle of a line that is too long. */
  #skipping = false;
  #number = 0;

  constructor(readonly source: FileChunks) {}

  async *blocks(signal?: AbortSignal): AsyncGenerator<FileLine[]> {
    for await (const chunk of this.source.chunks(signal)) {
      const lines = this.#take(this.#carry.length === 0 ? chunk : Buffer.concat([this.#carry, chunk]));
      if (lines.length > 0) yield lines;
    }
    if (signal?.aborted === true) return;
    const last = this.#last();
    if (last !== undefined) yield [last];
  }

  #take(bytes: Buffer): FileLine[] {
    let start = 0;
    if (this.#skipping) {
      const newline = bytes.indexOf(NEWLINE);
      if (newline < 0) return this.#keep(Buffer.alloc(0), []);
      this.#skipping = false;
      start = newline + 1;
    }
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    const lines = end > start ? this.#decode(bytes.subarray(start, end)) : [];
    const rest = bytes.subarray(Math.max(start, end));
    if (rest.length <= MAX_LINE_BYTES) return this.#keep(rest, lines);
    lines.push(this.#tooLong(rest));
    this.#skipping = true;
    return this.#keep(Buffer.alloc(0), lines);
  }

  #keep(carry: Buffer, lines: FileLine[]): FileLine[] {
    this.#carry = carry;
    return lines;
  }

  /** Whole lines, the last newline included. */
  #decode(bytes: Buffer): FileLine[] {
    const lines: FileLine[] = [];
    if (isUtf8(bytes)) {
      const texts = bytes.toString("utf8", 0, bytes.length - 1).split("\n");
      for (const text of texts) lines.push(text.length * 3 <= MAX_LINE_BYTES ? this.#line(text) : this.#checked(Buffer.from(text)));
      return lines;
    }
    for (let start = 0; start < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, start);
      lines.push(this.#checked(bytes.subarray(start, newline)));
      start = newline + 1;
    }
    return lines;
  }

  #checked(bytes: Buffer): FileLine {
    if (bytes.length > MAX_LINE_BYTES) return this.#tooLong(bytes);
    if (isUtf8(bytes)) return this.#line(bytes.toString());
    return { number: ++this.#number, text: "", bad: { code: "FILE_LINE", message: "the line is not UTF-8", original: Buffer.from(bytes) } };
  }

  #line(text: string): FileLine {
    const number = ++this.#number;
    const from = number === 1 && text.startsWith(BOM) ? 1 : 0;
    const to = text.endsWith("\r") ? text.length - 1 : text.length;
    return { number, text: from === 0 && to === text.length ? text : text.slice(from, to) };
  }

  #tooLong(bytes: Buffer): FileLine {
    const bad: BadLine = {
      code: "EVENT_TOO_LARGE",
      message: `the line is longer than ${MAX_LINE_BYTES} bytes`,
      original: Buffer.from(bytes.subarray(0, MAX_LINE_BYTES)),
    };
    return { number: ++this.#number, text: "", bad };
  }

  /** What is left when the bytes end; where the compressed data was damaged it is half a line for sure. */
  #last(): FileLine | undefined {
    const { damage } = this.source;
    if (damage !== undefined)
      return {
        number: ++this.#number,
        text: "",
        bad: { code: "FILE_TRUNCATED", message: damage, original: Buffer.from(this.#carry) },
        unterminated: true,
      };
    return this.#carry.length === 0 ? undefined : { ...this.#checked(this.#carry), unterminated: true };
  }
}
