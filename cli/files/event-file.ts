import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { KindredError } from "../../schemas/errors.js";
import type { BehaviourEvent, EventRules } from "../../schemas/event.js";
import { parseAssignments } from "../../streams/files/column-map.js";
import { EVENT_FIELDS, type EventRowOptions, EventRows, TS_UNITS, type TsUnit } from "../../streams/files/event-rows.js";
import { FILE_FORMATS, type FileFormat, FileRows } from "../../streams/files/file-rows.js";
import { choiceFlag } from "../command-options.js";
import { formatOf } from "./file-format.js";

/** How a command's files of events are read. */
export interface EventFileFlags {
  readonly format?: FileFormat;
  readonly map: string;
  readonly set: string;
  readonly tsUnit: TsUnit;
}

/** How reading goes, and what of it is told. */
export interface Reading {
  readonly signal: AbortSignal;
  /** @param share of the file's bytes */
  readonly onProgress: (done: number, share?: number) => void;
  /** The refused lines, one by one. */
  readonly onRejected: (code: string, message: string, where: string) => void;
}

export function addEventFileOptions(command: Command): Command {
  return command
    .option("--format <format>", `of --from: ${FILE_FORMATS.join(", ")} (default: by the file's name)`, choiceFlag(...FILE_FORMATS))
    .option("--map <field=column,...>", "columns of the fields, e.g. user=CustomerID,item=StockCode,ts=t", "")
    .option(
      "--set <field=value,...>",
      "values that the file lacks, e.g. action=like,ts=2011-01-01T00:00:00Z (action is play if not given)",
      "",
    )
    .option("--ts-unit <unit>", "what numbers in ts count: auto (below 1e11 are seconds), s or ms", choiceFlag(...TS_UNITS), "auto");
}

/** @throws KindredError USAGE */
export function eventRowOptions({ map, set, tsUnit }: EventFileFlags): EventRowOptions {
  const columns = parseAssignments(map, EVENT_FIELDS, "--map");
  const constants = parseAssignments(set, EVENT_FIELDS, "--set");
  return { map: { columns, constants }, tsUnit };
}

export interface EventFile extends EventRowOptions {
  readonly path: string;
  /** By the file's name where it is not given. */
  readonly format?: FileFormat | undefined;
  readonly rules: EventRules;
}

/**
 * Gives each event of a file, in its order.
 * @returns lines that are no event
 * @throws KindredError USAGE, FILE_FORMAT, or the reason of `signal`
 */
export async function readEventFile(
  { path, format, rules, ...options }: EventFile,
  { signal, onProgress, onRejected }: Reading,
  take: (event: BehaviourEvent) => void,
): Promise<number> {
  const { size } = await stat(path).catch((cause: Error) => {
    throw new KindredError("FILE_FORMAT", `the file cannot be read: ${cause.message}`, path, { cause });
  });
  const rows = await FileRows.open(path, formatOf(path, format), signal);
  let [taken, rejected] = [0, 0];
  try {
    const reader = new EventRows(options, rows.format === "ndjson" ? undefined : rows.columns, path);
    for await (const block of rows.blocks()) {
      for (const row of block) {
        const read = reader.read(row, rules);
        if ("event" in read) {
          taken++;
          take(read.event);
        } else {
          rejected++;
          onRejected(read.rejection.code, read.rejection.message, `${path} line ${row.line}`);
        }
      }
      onProgress(taken, rows.bytesRead / Math.max(1, size));
      signal.throwIfAborted();
    }
    return rejected;
  } finally {
    await rows.close();
  }
}
