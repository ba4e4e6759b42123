import type { Config } from "../../schemas/config.js";
import type { EpochMs, Offset } from "../../schemas/ids.js";
import type { LogRecord } from "../../schemas/log-record.js";
import { type FileProgress, nextRows } from "../../schemas/ports/file-intake.js";
import { formatPosition } from "../../schemas/position.js";
import { type EventRow, type EventRowOptions, EventRows } from "../../streams/files/event-rows.js";
import { hashFile } from "../../streams/files/file-hash.js";
import type { FileRow } from "../../streams/files/file-row.js";
import { type FileFormat, FileRows } from "../../streams/files/file-rows.js";
import { replayFile } from "../../streams/files/replay-file.js";
import { decodeRecord } from "../../streams/record-codec.js";
import { FileSender, type SliceTarget, type TakenRow } from "./file-sender.js";
import { eventRulesOf } from "./fold-configuration.js";
import { withUpdater } from "./offline.js";
import { Pace } from "./pace.js";
import { eventsPerRequest } from "./server-client.js";
import { openJournal, shadowDirectory } from "./updater-stores.js";

/** A file of events and how it is read. */
export interface BackfillSource extends EventRowOptions {
  readonly path: string;
  readonly format: FileFormat;
  readonly again: boolean;
  readonly since?: EpochMs;
  readonly until?: EpochMs;
  /** Event time per wall time; as fast as it goes if not given. */
  readonly speed?: number;
}

export interface BackfillReport {
  /** Of this run of the file, also before an interruption. */
  readonly events: number;
  readonly rejected: number;
  /** By this call. */
  readonly appended: number;
  readonly position: string;
  /** The file was read to its end before: nothing was done. */
  readonly known: boolean;
  /** False when it was stopped. */
  readonly done: boolean;
}

/** @param share of the work, 0..1 */
export type OnProgress = (events: number, share: number) => void;

/** Events that a paced replay appends together: they happen in one moment. */
const PACED_ROWS = 64;

/** Into the journal of a directory that no server has open, through the pipeline and to its end. */
export function backfillOffline(
  config: Config,
  source: BackfillSource,
  stop: AbortSignal,
  onProgress: OnProgress,
): Promise<BackfillReport> {
  return withUpdater(config, { signal: stop, create: true }, async (updater) => {
    // Where folding fails nobody makes room any more: `drained` throws why.
    const signal = AbortSignal.any([stop, updater.failed]);
    const { path, speed, ...options } = source;
    const pace = speed === undefined ? undefined : new Pace(speed, signal);
    const paced = pace && { beforeAppend: (ts: EpochMs) => pace.until(ts), batchRows: Math.min(PACED_ROWS, config.pipeline.batchEvents) };
    const result = await replayFile(
      updater.stores.journal,
      path,
      { ...options, rules: eventRulesOf(config)(), batchRows: config.pipeline.batchEvents, signal, ...paced },
      ({ bytesRead, bytesTotal, events }) => onProgress(events, bytesRead / Math.max(1, bytesTotal)),
    );
    await updater.drained();
    return { ...result, position: formatPosition(updater.applied().position) };
  });
}

/**
 * Slice by slice, over HTTP into the directory that a server has open, or straight into topics. How far the file has come is kept there with
 * the rows: killed anywhere, the same call goes on exactly there. What a server refuses for lack of room is sent again when it says, what it
 * finds too large in halves: with --url its limits are not those of `config`.
 */
export async function backfillSlices(
  config: Config,
  target: SliceTarget,
  source: BackfillSource,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<BackfillReport> {
  const { path } = source;
  const { hash, bytes } = await hashFile(path);
  const { position, ...stored } = await target.progress(hash);
  if (stored.done && !source.again) return { ...stored, appended: 0, position, known: true };
  const pace = source.speed === undefined ? undefined : new Pace(source.speed, signal);
  const limit = Math.min(pace ? PACED_ROWS : Number.POSITIVE_INFINITY, eventsPerRequest(config));
  const sender = new FileSender(target, { hash, path }, nextRows(stored), position, limit, async (newestTs) => {
    if (newestTs > 0) await pace?.until(newestTs);
    return !signal.aborted;
  });
  const rows = await FileRows.open(path, source.format, signal);
  try {
    const reader = new EventRows(source, source.format === "ndjson" ? undefined : rows.columns, path);
    const rules = eventRulesOf(config)();
    for await (const block of rows.blocks()) {
      for (const row of block) {
        if (sender.skip()) continue;
        sender.take(takenRow(row, reader.read(row, rules), source, hash));
        while (sender.full) if (!(await sender.send())) break;
      }
      onProgress(sender.progress.events, rows.bytesRead / Math.max(1, bytes));
    }
    if (!signal.aborted) await sender.finish();
    const { events, rejected, done } = sender.progress;
    return { events, rejected, done, appended: sender.appended, position: sender.position, known: false };
  } finally {
    await rows.close();
  }
}

/** Most characters kept of a line that is no event. */
const ORIGINAL_CHARACTERS = 4_096;

function takenRow(row: FileRow, read: EventRow, { since, until }: BackfillSource, hash: string): TakenRow {
  if ("event" in read) {
    const { ts } = read.event;
    return ts >= (since ?? 0) && ts < (until ?? Number.POSITIVE_INFINITY) ? read.event : "unwanted";
  }
  // As offline, it becomes a dead letter with its reason.
  const { rejection, raw, user } = read;
  const original = (row.bad === undefined ? row.text : Buffer.from(row.bad.original).toString("utf8")).slice(0, ORIGINAL_CHARACTERS);
  const origin = `file ${hash.slice(0, 8)} line ${row.line}`;
  return { refused: { ...rejection, origin, original, ...(raw !== undefined && { raw }), ...(user !== undefined && { user }) } };
}

/** Records of the live journal that are copied in one append. */
const RECORDS_A_COPY = 8_192;

/**
 * Folds the live journal anew, in a data directory of its own beside it (`shadow`), with today's configuration: what a change
 * of it would give. The live state is only read. Goes on where it was stopped.
 */
export async function backfillJournal(config: Config, stop: AbortSignal, onProgress: OnProgress): Promise<BackfillReport> {
  const live = await openJournal(config);
  try {
    return await withUpdater({ ...config, dataDir: shadowDirectory(config) }, { signal: stop, create: true }, async (updater) => {
      const signal = AbortSignal.any([stop, updater.failed]);
      const { journal } = updater.stores;
      const items = [];
      for await (const info of live.items.all()) items.push(info);
      await updater.intake.putItems(items);
      await updater.keeper.update();
      const start = (await journal.fileProgress("journal")) ?? { rowsRead: 0, events: 0, rejected: 0, done: false, run: 1 };
      let progress: FileProgress = start;
      const reader = live.reader();
      const end = live.endOffset;
      let after = Math.max(progress.rowsRead, live.firstOffset - 1) as Offset;
      while (after < end && !signal.aborted) {
        const batch = await reader.read(after, { maxRecords: RECORDS_A_COPY, signal });
        if (batch === null) break;
        const records = batch.records.flatMap(({ bytes }): LogRecord[] => (bytes === null ? [] : [decodeRecord(bytes)]));
        // Catalogues are the shadow's own.
        const copied = records.filter(({ kind }) => kind !== "activate");
        after = batch.endOffset;
        progress = { ...progress, rowsRead: after, events: progress.events + copied.filter(({ kind }) => kind === "event").length };
        await journal.whenLagBelow(65_536, signal);
        await journal.appendFromFile("journal", copied, progress);
        onProgress(progress.events, after / Math.max(1, end));
      }
      await updater.drained();
      const { events, rejected } = progress;
      return {
        events,
        rejected,
        appended: events - start.events,
        position: formatPosition(updater.applied().position),
        known: false,
        done: after >= end,
      };
    });
  } finally {
    await live.close();
  }
}
