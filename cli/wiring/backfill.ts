import type { Config } from "../../schemas/config.js";
import { ERRORS, KindredError } from "../../schemas/errors.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import type { EpochMs, Offset } from "../../schemas/ids.js";
import type { LogRecord } from "../../schemas/log-record.js";
import type { RefusedLine } from "../../schemas/ports/admin.js";
import { formatPosition } from "../../schemas/position.js";
import { type EventRow, type EventRowOptions, EventRows } from "../../streams/files/event-rows.js";
import { hashFile } from "../../streams/files/file-hash.js";
import type { FileRow } from "../../streams/files/file-row.js";
import { type FileFormat, FileRows } from "../../streams/files/file-rows.js";
import { replayFile } from "../../streams/files/replay-file.js";
import type { FileProgress } from "../../streams/journal/file-progress.js";
import { decodeRecord } from "../../streams/record-codec.js";
import { eventsPerRequest, type ServerClient } from "../server-client.js";
import { eventRulesOf } from "./fold-configuration.js";
import { withUpdater } from "./offline.js";
import { Pace } from "./pace.js";
import { ReplayMarkers } from "./replay-marker.js";
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
    const markers = new ReplayMarkers(config.dataDir);
    const { hash } = await hashFile(path);
    const sent = await markers.read(hash);
    if (sent?.done === true && !source.again && (await updater.stores.journal.fileProgress(hash)) === undefined)
      return { ...sent, appended: 0, position: formatPosition(updater.applied().position), known: true, done: true };
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
 * Over HTTP, into the directory that a server has open. What the server refuses for lack of room is sent again when it says,
 * what it finds too large in halves: with --url its limits are not those of `config`.
 * @param remember whether the data directory is at hand, to remember how far the file was sent
 */
export async function backfillOverHttp(
  config: Config,
  server: ServerClient,
  source: BackfillSource,
  signal: AbortSignal,
  onProgress: OnProgress,
  remember: boolean,
): Promise<BackfillReport> {
  const { hash, bytes } = await hashFile(source.path);
  const markers = remember ? new ReplayMarkers(config.dataDir) : undefined;
  const stored = await markers?.read(hash);
  const before = stored && (source.again ? undefined : stored);
  const state = await server.get<{ position: string }>("/v1/state/hash");
  if (before?.done) return { ...before, appended: 0, position: state.position, known: true, done: true };
  const sender = new Sender(
    server,
    before ?? { rowsRead: 0, events: 0, rejected: 0, done: false, run: (stored?.run ?? 0) + 1 },
    state.position,
    eventsPerRequest(config),
  );
  const pace = source.speed === undefined ? undefined : new Pace(source.speed, signal);
  const rows = await FileRows.open(source.path, source.format, signal);
  try {
    const reader = new EventRows(source, source.format === "ndjson" ? undefined : rows.columns, source.path);
    const rules = eventRulesOf(config)();
    let toSkip = sender.progress.rowsRead;
    for await (const block of rows.blocks()) {
      for (const row of block) {
        if (toSkip-- > 0) continue;
        const read = reader.read(row, rules);
        const wanted =
          "event" in read && read.event.ts >= (source.since ?? 0) && read.event.ts < (source.until ?? Number.POSITIVE_INFINITY);
        sender.take(wanted ? read.event : "event" in read ? "unwanted" : refusedLine(row, read, hash));
        while (sender.full) {
          if (pace) await pace.until(sender.newestTs);
          await sender.send();
          await markers?.write(hash, sender.progress);
        }
      }
      onProgress(sender.progress.events, rows.bytesRead / Math.max(1, bytes));
    }
    while (sender.waiting > 0) {
      await sender.send();
      await markers?.write(hash, sender.progress);
    }
    if (!signal.aborted) sender.finish();
    await markers?.write(hash, sender.progress);
    const { events, rejected, done } = sender.progress;
    return { events, rejected, done, appended: events - (before?.events ?? 0), position: sender.position, known: false };
  } finally {
    await rows.close();
  }
}

/** What a row of the file gave: an event, nothing (it lies outside of the time asked for), or it is broken. */
type TakenRow = BehaviourEvent | "unwanted" | { readonly refused: RefusedLine };

const isEvent = (row: TakenRow): row is BehaviourEvent => typeof row === "object" && "item" in row;

/** Most refused lines, and most characters of theirs, in one request. */
const LINES_A_REQUEST = 100;
const ORIGINAL_CHARACTERS = 4_096;

/** What the server keeps of a line that is no event: as offline, it becomes a dead letter with its reason. */
function refusedLine(row: FileRow, { rejection, raw, user }: Exclude<EventRow, { event: unknown }>, hash: string): TakenRow {
  const original = (row.bad === undefined ? row.text : Buffer.from(row.bad.original).toString("utf8")).slice(0, ORIGINAL_CHARACTERS);
  const origin = `file ${hash.slice(0, 8)} line ${row.line}`;
  return { refused: { ...rejection, origin, original, ...(raw !== undefined && { raw }), ...(user !== undefined && { user }) } };
}

const isTooLarge = (error: unknown): boolean => error instanceof KindredError && ERRORS[error.code].status === 413;

/** Gathers rows and posts their events; counts what became of them. */
class Sender {
  private rows: TakenRow[] = [];
  newestTs = 0;

  /** @param limit most rows of one request; smaller once the server found a request too large */
  constructor(
    private readonly server: ServerClient,
    public progress: FileProgress,
    public position: string,
    private limit: number,
  ) {}

  get waiting(): number {
    return this.rows.length;
  }

  get full(): boolean {
    return this.rows.length >= this.limit;
  }

  take(row: TakenRow): void {
    this.rows.push(row);
    if (isEvent(row)) this.newestTs = Math.max(this.newestTs, row.ts);
  }

  /** Sends up to `limit` rows. The progress covers what was sent and no more: the rest may still fail. */
  async send(): Promise<void> {
    for (;;) {
      const rows = this.rows.slice(0, this.limit);
      const events = rows.filter(isEvent);
      try {
        await this.keep(rows.flatMap((row) => (typeof row === "object" && "refused" in row ? [row.refused] : [])));
        const sent = events.length === 0 ? undefined : await this.post(events);
        this.rows = this.rows.slice(rows.length);
        this.count(rows, sent?.accepted ?? 0, sent?.rejected.length ?? 0);
        this.position = sent?.position ?? this.position;
        return;
      } catch (error) {
        if (!isTooLarge(error) || events.length === 1) throw error;
        this.limit = Math.ceil(rows.length / 2);
      }
    }
  }

  finish(): void {
    this.progress = { ...this.progress, done: true };
  }

  private async keep(lines: readonly RefusedLine[]): Promise<void> {
    for (let at = 0; at < lines.length; at += LINES_A_REQUEST)
      await this.server.postPatiently("/v1/admin/dead-letters", { lines: lines.slice(at, at + LINES_A_REQUEST) });
  }

  private post(events: readonly BehaviourEvent[]): Promise<{ accepted: number; rejected: unknown[]; position: string }> {
    return this.server.postPatiently("/v1/events", { events });
  }

  private count(rows: readonly TakenRow[], accepted: number, refused: number): void {
    const { rowsRead, events, rejected, run } = this.progress;
    const broken = rows.filter((row) => typeof row === "object" && "refused" in row).length;
    this.progress = {
      rowsRead: rowsRead + rows.length,
      events: events + accepted,
      rejected: rejected + broken + refused,
      done: false,
      run,
    };
  }
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
