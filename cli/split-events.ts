import type { SplitEvent } from "../models/evaluation/splits.js";
import { isWritable } from "../models/split-file.js";
import type { Config } from "../schemas/config.js";
import type { EventRules } from "../schemas/event.js";
import { type EventRowOptions, EventRows } from "../streams/files/event-rows.js";
import { type FileFormat, FileRows } from "../streams/files/file-rows.js";

export interface EventFile extends EventRowOptions {
  readonly path: string;
  readonly format: FileFormat;
}

export interface EventsOfFile {
  readonly events: readonly SplitEvent[];
  /** Lines that are no event. */
  readonly rejected: number;
  /** Events of an id with a space, which parts ids in a split file. */
  readonly spaced: number;
  /** Events that say that somebody did not like something: nothing to be foretold. */
  readonly disliked: number;
}

/** The events of a file, in its order. @throws KindredError FILE_FORMAT, or the reason of `signal` */
export async function eventsOfFile(
  { path, format, ...options }: EventFile,
  rules: EventRules,
  { actions }: Config["fold"],
  signal: AbortSignal,
  onProgress: (events: number) => void,
): Promise<EventsOfFile> {
  const rows = await FileRows.open(path, format, signal);
  const events: SplitEvent[] = [];
  let [rejected, spaced, disliked] = [0, 0, 0];
  try {
    const reader = new EventRows(options, format === "ndjson" ? undefined : rows.columns, path);
    for await (const block of rows.blocks()) {
      signal.throwIfAborted();
      for (const row of block) {
        const read = reader.read(row, rules);
        if (!("event" in read)) rejected++;
        else if (!isWritable(read.event.user) || !isWritable(read.event.item)) spaced++;
        else if ((actions[read.event.action] ?? 0) <= 0) disliked++;
        else events.push({ user: read.event.user, item: read.event.item, ts: read.event.ts });
      }
      onProgress(events.length);
    }
  } finally {
    await rows.close();
  }
  return { events, rejected, spaced, disliked };
}
