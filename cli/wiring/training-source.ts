import { stat } from "node:fs/promises";
import { readHistories } from "../../models/histories.js";
import { TrainingSetBuilder } from "../../models/training-set-builder.js";
import { WEIGHT_ONE } from "../../schemas/catalogue.js";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import type { EpochMs, ItemId, Offset } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { TrainingSet } from "../../schemas/model.js";
import type { UserHistory } from "../../schemas/ports/admin.js";
import { EventWeights } from "../../state/event-weight.js";
import { type EventRowOptions, EventRows } from "../../streams/files/event-rows.js";
import { type FileFormat, FileRows, formatOfName } from "../../streams/files/file-rows.js";
import type { ItemRowOptions } from "../../streams/files/item-rows.js";
import { itemsFromFile } from "../../streams/files/items-from-file.js";
import { decodeRecord } from "../../streams/record-codec.js";
import type { ServerClient } from "../server-client.js";
import { eventRulesOf, foldSettingsOf } from "./fold-configuration.js";
import { type LogTaker, readEventsTopic } from "./kafka/read-events.js";
import { withUpdater } from "./offline.js";
import { openJournal } from "./updater-stores.js";

/** What a set was made of, beside what it holds. */
export interface ReadSet {
  readonly set: TrainingSet;
  /** Events read, of a source that has events. */
  readonly events?: number;
  /** Lines or records that say nothing usable. */
  readonly rejected: number;
}

export interface EventSource extends EventRowOptions {
  readonly paths: readonly string[];
  readonly format?: FileFormat;
  readonly since?: EpochMs;
  readonly until?: EpochMs;
}

/** A file of side information and how it is read. */
export interface ItemsSource extends ItemRowOptions {
  readonly path: string;
  readonly format?: FileFormat;
}

/** How reading goes, and what of it is told. */
export interface Reading {
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, share?: number) => void;
  /** The first refused lines, one by one. */
  readonly onRejected: (code: string, message: string, where: string) => void;
}

/** A split file, with side information where a file of it is given. */
export async function setOfSplit(path: string, items: ItemsSource | undefined, reading: Reading): Promise<ReadSet> {
  const histories = await readHistories(path);
  if (items === undefined) return { set: { histories }, rejected: 0 };
  const known = new Set(histories.items);
  const infos = new Map<ItemId, ItemInfo>();
  const rejected = await readItems(items, reading, (info) => void (known.has(info.item) && infos.set(info.item, info)), infos);
  return { set: { histories, infos }, rejected };
}

/** Files of events, as `replay` reads them. @throws KindredError FILE_FORMAT, also where no line of them is an event */
export async function setOfFiles(config: Config, source: EventSource, items: ItemsSource | undefined, reading: Reading): Promise<ReadSet> {
  const taker = new EventTaker(config, source);
  let rejected = 0;
  for (const path of source.paths) rejected += await readEvents(config, path, source, taker, reading);
  if (taker.events === 0 && rejected > 0)
    throw new KindredError("FILE_FORMAT", `no line is an event: ${rejected} were rejected`, source.paths.join(", "));
  const infos = new Map<ItemId, ItemInfo>();
  if (items !== undefined) rejected += await readItems(items, reading, (info) => void infos.set(info.item, info), infos);
  for (const info of infos.values()) taker.builder.addInfo(info);
  return { set: taker.builder.build(), events: taker.events, rejected };
}

/** The live log from its begin, in place of what the state has made of it: the topic, or the journal of a directory that nobody has open. */
export async function setOfLog(config: Config, reading: Reading): Promise<ReadSet> {
  const taker = new EventTaker(config, {});
  let rejected = 0;
  const log: LogTaker = {
    take: (record) => {
      if (record.kind === "event") taker.take(record.event);
      else if (record.kind === "erase") taker.builder.erase(record.user);
    },
    reject: () => void rejected++,
    onProgress: (share) => reading.onProgress(taker.events, share),
  };
  const infos =
    config.source.kind === "kafka" ? await readEventsTopic(config, reading.signal, log) : await readJournal(config, reading.signal, log);
  for await (const info of infos) taker.builder.addInfo(info);
  return { set: taker.builder.build(), events: taker.events, rejected };
}

/** What the profiles of a state hold: through the server that has it open, else from the directory. */
export async function setOfState(config: Config, server: ServerClient | undefined, reading: Reading): Promise<ReadSet> {
  const builder = new TrainingSetBuilder();
  let users = 0;
  const add = ({ user, items, weights, times }: UserHistory): void => {
    builder.addUser(user);
    for (const [i, item] of items.entries()) builder.add(user, item, { weight: weights[i]!, ts: times[i]! });
    reading.onProgress(++users);
  };
  if (server) await readServer(server, builder, add);
  else
    await withUpdater(config, { signal: reading.signal, index: false }, async ({ owner, stores }) => {
      let after: Awaited<ReturnType<typeof owner.histories>>["next"];
      do {
        const { histories, next } = await owner.histories(after, PAGE_USERS);
        for (const history of histories) add(history);
        reading.signal.throwIfAborted();
        after = next;
      } while (after !== undefined);
      for await (const info of stores.journal.items.all()) builder.addInfo(info);
    });
  return { set: builder.build(), rejected: 0 };
}

const PAGE_USERS = 1_000;

interface HistoryLine extends Partial<UserHistory> {
  readonly info?: ItemInfo;
  readonly end?: { readonly users: number };
}

async function readServer(server: ServerClient, builder: TrainingSetBuilder, add: (history: UserHistory) => void): Promise<void> {
  let ended = false;
  for await (const line of server.lines<HistoryLine>("/v1/state/histories")) {
    if (line.info !== undefined) builder.addInfo(line.info);
    else if (line.end !== undefined) ended = true;
    else add(line as UserHistory);
  }
  if (!ended) throw new KindredError("NOT_READY", "the server ended its answer before the last user; run it again", server.url);
}

/** Events as touches: each weighs what the configuration says of its action. */
class EventTaker {
  readonly builder = new TrainingSetBuilder();
  events = 0;
  readonly #weights: EventWeights;

  constructor(
    config: Config,
    private readonly limits: Pick<EventSource, "since" | "until">,
  ) {
    this.#weights = new EventWeights(foldSettingsOf(config));
  }

  take({ user, item, action, ts, value, type, scene }: BehaviourEvent): void {
    const { since = 0, until = Number.POSITIVE_INFINITY } = this.limits;
    if (ts < since || ts >= until) return;
    this.events++;
    if (type !== undefined && !this.builder.hasInfo(item)) this.builder.addInfo({ item, type });
    const weight = this.#weights.of(action, value) / WEIGHT_ONE;
    this.builder.add(user, item, { weight, ts, action, ...(scene !== undefined && { scene }) });
  }
}

async function readEvents(
  config: Config,
  path: string,
  source: EventSource,
  taker: EventTaker,
  { signal, onProgress, onRejected }: Reading,
): Promise<number> {
  const { size } = await stat(path).catch((cause: Error) => {
    throw new KindredError("FILE_FORMAT", `the file cannot be read: ${cause.message}`, path, { cause });
  });
  const rows = await FileRows.open(path, formatFor(path, source.format), signal);
  let rejected = 0;
  try {
    const reader = new EventRows(source, rows.format === "ndjson" ? undefined : rows.columns, path);
    const rules = eventRulesOf(config)();
    for await (const block of rows.blocks()) {
      for (const row of block) {
        const read = reader.read(row, rules);
        if ("event" in read) taker.take(read.event);
        else {
          rejected++;
          onRejected(read.rejection.code, read.rejection.message, `${path} line ${row.line}`);
        }
      }
      onProgress(taker.events, rows.bytesRead / Math.max(1, size));
      signal.throwIfAborted();
    }
    return rejected;
  } finally {
    await rows.close();
  }
}

/** @returns how many lines were rejected */
async function readItems(
  { path, format, map }: ItemsSource,
  { signal, onRejected }: Reading,
  take: (info: ItemInfo) => void,
  taken: ReadonlyMap<ItemId, ItemInfo>,
): Promise<number> {
  // Labels of one item may be spread over the file.
  const stored = async (ids: readonly ItemId[]): Promise<(ItemInfo | undefined)[]> => ids.map((id) => taken.get(id));
  let rejected = 0;
  for await (const batch of itemsFromFile(path, { format: formatFor(path, format), map, signal, stored })) {
    for (const info of batch.items) take(info);
    for (const { line, code, message } of batch.rejected) onRejected(code, message, `${path} line ${line}`);
    rejected += batch.rejected.length;
  }
  return rejected;
}

function formatFor(path: string, given?: FileFormat): FileFormat {
  const format = given ?? formatOfName(path);
  if (format === undefined) throw new KindredError("USAGE", "the name does not say the format: csv, tsv or ndjson", path);
  return format;
}

const RECORDS_AT_ONCE = 8_192;

async function readJournal(config: Config, signal: AbortSignal, { take, onProgress }: LogTaker): Promise<Iterable<ItemInfo>> {
  const journal = await openJournal(config);
  try {
    const reader = journal.reader();
    const [first, end] = [journal.firstOffset - 1, journal.endOffset];
    for (let after = first as Offset; after < end; ) {
      const batch = await reader.read(after, { maxRecords: RECORDS_AT_ONCE, signal });
      if (batch === null) break;
      for (const { bytes } of batch.records) if (bytes !== null) take(decodeRecord(bytes));
      after = batch.endOffset;
      onProgress((after - first) / (end - first));
    }
    signal.throwIfAborted();
    const infos: ItemInfo[] = [];
    for await (const info of journal.items.all()) infos.push(info);
    return infos;
  } finally {
    await journal.close();
  }
}
