import { readHistories } from "../../models/training-set/histories.js";
import { TrainingSetBuilder } from "../../models/training-set/training-set-builder.js";
import { WEIGHT_ONE } from "../../schemas/catalogue.js";
import type { Config } from "../../schemas/config.js";
import { KindredError } from "../../schemas/errors.js";
import type { BehaviourEvent } from "../../schemas/event.js";
import type { EpochMs, Offset } from "../../schemas/ids.js";
import type { ItemInfo } from "../../schemas/item.js";
import type { TrainingSet } from "../../schemas/model.js";
import type { UserHistory } from "../../schemas/ports/admin.js";
import { EventWeights } from "../../state/event-weight.js";
import type { EventRowOptions } from "../../streams/files/event-rows.js";
import type { FileFormat } from "../../streams/files/file-rows.js";
import { decodeRecord } from "../../streams/record-codec.js";
import { type Reading, readEventFile } from "../files/event-file.js";
import { type ItemsFile, readItemsFile } from "../files/items-file.js";
import { eventRulesOf, foldSettingsOf } from "../wiring/fold-configuration.js";
import { type LogTaker, readEventsTopic } from "../wiring/kafka/read-events.js";
import { withUpdater } from "../wiring/offline.js";
import type { ServerClient } from "../wiring/server-client.js";
import { openJournal } from "../wiring/updater-stores.js";

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
  readonly format?: FileFormat | undefined;
  readonly since?: EpochMs;
  readonly until?: EpochMs;
}

/** A split file, with side information where a file of it is given. */
export async function setOfSplit(path: string, items: ItemsFile | undefined, reading: Reading): Promise<ReadSet> {
  const histories = await readHistories(path);
  if (items === undefined) return { set: { histories }, rejected: 0 };
  const { infos, rejected } = await readItemsFile(items, reading);
  const known = new Set(histories.items);
  for (const item of infos.keys()) if (!known.has(item)) infos.delete(item);
  return { set: { histories, infos }, rejected };
}

/** Files of events, as `replay` reads them. @throws KindredError FILE_FORMAT, also where no line of them is an event */
export async function setOfFiles(config: Config, source: EventSource, items: ItemsFile | undefined, reading: Reading): Promise<ReadSet> {
  const taker = new EventTaker(config, source);
  let rejected = 0;
  const { paths, format, since: _, until: __, ...rows } = source;
  for (const path of paths) {
    const before = taker.events;
    const file = { ...rows, path, format, rules: eventRulesOf(config)() };
    const onProgress: Reading["onProgress"] = (done, share) => reading.onProgress(before + done, share);
    rejected += await readEventFile(file, { ...reading, onProgress }, (event) => taker.take(event));
  }
  if (taker.events === 0 && rejected > 0)
    throw new KindredError("FILE_FORMAT", `no line is an event: ${rejected} were rejected`, source.paths.join(", "));
  const side = items && (await readItemsFile(items, reading));
  for (const info of side?.infos.values() ?? []) taker.builder.addInfo(info);
  rejected += side?.rejected ?? 0;
  return { set: taker.builder.build(), events: taker.events, rejected };
}

/** The live log from its begin, in place of what the state has made of it: the topic, or the journal of a directory that nobody has open. */
export async function setOfLog(config: Config, reading: Reading): Promise<ReadSet> {
  const taker = new EventTaker(config, {});
  let rejected = 0;
  const log: LogTaker = {
    take: (record) => {
      if (record.kind === "event") taker.take(record.event);
      else if (record.kind === "erase") taker.erase(record.user, record.at);
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
  readonly #erasedAt = new Map<string, EpochMs>();

  constructor(
    config: Config,
    private readonly limits: Pick<EventSource, "since" | "until">,
  ) {
    this.#weights = new EventWeights(foldSettingsOf(config));
  }

  /** As the fold has it: what is said to have happened before it never counts again, wherever it comes from. */
  erase(user: string, at: EpochMs): void {
    this.#erasedAt.set(user, Math.max(at, this.#erasedAt.get(user) ?? at));
    this.builder.erase(user);
  }

  take({ user, item, action, ts, value, type, scene }: BehaviourEvent): void {
    const { since = 0, until = Number.POSITIVE_INFINITY } = this.limits;
    if (ts < since || ts >= until || ts <= (this.#erasedAt.get(user) ?? Number.NEGATIVE_INFINITY)) return;
    this.events++;
    if (type !== undefined && !this.builder.hasInfo(item)) this.builder.addInfo({ item, type });
    const weight = this.#weights.of(action, value) / WEIGHT_ONE;
    this.builder.add(user, item, { weight, ts, action, ...(scene !== undefined && { scene }) });
  }
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
